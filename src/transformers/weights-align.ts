import { existsSync } from 'node:fs'
import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Field, fields, GRAPH as G, MODEL, message, string, TENSOR, text, withGraph } from './onnx-file.js'
import { DATA, GRAPH } from './weights-entry.js'

/**
 * Kernels of x64 read weights that were laid out for them with instructions that end the process where an address is no
 * multiple of this. onnxruntime writes such weights wherever the file happens to end, behind whatever has an odd size.
 */
const ALIGNMENT = 64
const CHUNK = 1 << 22

/** A key or value of TensorProto.external_data. */
const ENTRY = { key: 1, value: 2 }

/** Sees to it that the weights which an entry's sessions map lie where kernels may read them: what does not is copied to the end. */
export async function alignWeights(folder: string): Promise<void> {
  const model = await readFile(join(folder, GRAPH))
  const graph = fields(model).find(({ number }) => number === MODEL.graph)
  const path = join(folder, DATA)
  if (!graph || !existsSync(path)) return // a tiny model has no data beside its graph
  const data = await open(path, 'r+')
  try {
    const body: Uint8Array[] = []
    let moved = false
    for (const field of fields(model, graph)) {
      const aligned = field.number === G.initializer ? await alignedTensor(model, field, data) : null
      moved ||= aligned !== null
      body.push(...(aligned ? message(G.initializer, aligned) : [model.subarray(field.start, field.end)]))
    }
    if (moved) await writeFile(join(folder, GRAPH), withGraph(model, graph, body))
  } finally {
    await data.close()
  }
}

/** The content of an initializer whose laid out weights had to be moved; null where they lie well, or there are none. */
async function alignedTensor(model: Uint8Array, tensor: Field, data: FileHandle): Promise<Uint8Array[] | null> {
  let moved = false
  const content: Uint8Array[] = []
  for (const part of fields(model, tensor)) {
    const entry = part.number === TENSOR.externalData ? fields(model, part) : []
    const said = (number: number) => entry.filter((field) => field.number === number).map((field) => text(model, field))
    const [key = ''] = said(ENTRY.key)
    const [value = ''] = said(ENTRY.value)
    const aligned = key.startsWith('prepacked') ? await alignedPlaces(value, data) : value
    moved ||= aligned !== value
    content.push(
      ...(aligned === value
        ? [model.subarray(part.start, part.end)]
        : message(TENSOR.externalData, [...string(ENTRY.key, key), ...string(ENTRY.value, aligned)])),
    )
  }
  return moved ? content : null
}

/** What onnxruntime notes of them: `kernel|offset;length;checksum|offset;…`. */
async function alignedPlaces(noted: string, data: FileHandle): Promise<string> {
  const [kernel, ...places] = noted.split('|')
  const aligned: string[] = []
  for (const place of places) {
    const [offset, length, ...rest] = place.split(';')
    const at = Number(offset) % ALIGNMENT === 0 ? offset : await copyToEnd(data, Number(offset), Number(length))
    aligned.push([at, length, ...rest].join(';'))
  }
  return [kernel, ...aligned].join('|')
}

async function copyToEnd(data: FileHandle, from: number, length: number): Promise<number> {
  const { size } = await data.stat()
  // What is copied makes the file longer: read behind its end, it would be the copy itself.
  if (from + length > size) throw new Error(`${DATA} ends before its weights do`)
  const to = Math.ceil(size / ALIGNMENT) * ALIGNMENT
  const buffer = Buffer.alloc(Math.min(CHUNK, length))
  for (let done = 0; done < length; ) {
    const { bytesRead } = await data.read(buffer, 0, Math.min(buffer.length, length - done), from + done)
    await data.write(buffer, 0, bytesRead, to + done)
    done += bytesRead
  }
  return to
}
