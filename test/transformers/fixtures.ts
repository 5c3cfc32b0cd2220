import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs/minimal.js'
import { fields, GRAPH, MODEL, message, newNode, TENSOR, withGraph } from '#src/transformers/onnx-file.js'

/** The project's root, from .build/test/transformers. */
export const root = fileURLToPath(new URL('../../..', import.meta.url))

/** A path below test/fixtures/models. */
export const fixture = (...parts: string[]) => join(root, 'test', 'fixtures', 'models', ...parts)

export const readFixture = <T>(...parts: string[]) => JSON.parse(readFileSync(fixture(...parts), 'utf8')) as T

/** A classifier of ten animals for pictures of 32 pixels, with random weights. */
export const tinyVit = fixture('tiny-vit')

/** Where the stand-in for the Hub and Python's answers are, on machines that have them. */
export const shared = process.env.RAYITO_SHARED ?? join(root, '..', 'shared')

/** Points RAYITO_CACHE to a folder of its own until the tests of this file are done. */
export function ownCache(): { folder: string; weights: string } {
  const folder = mkdtempSync(join(tmpdir(), 'rayito-weights-'))
  process.env.RAYITO_CACHE = folder
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return { folder, weights: join(folder, 'weights') }
}

/** A copy of the tiny classifier, for a test to change, away when the test is done. */
export function copyOfTinyVit(t: { after(work: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'rayito-model-'))
  cpSync(tinyVit, folder, { recursive: true })
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Changes a JSON file. */
export function edit(file: string, change: (value: Record<string, unknown>) => unknown): void {
  const value = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  writeFileSync(file, JSON.stringify(change(value) ?? value))
}

/** A model whose larger weights lie in a file of that name beside it, as exporters write large ones: the model and that file. */
export function withDataBeside(model: Uint8Array, name: string): { model: Uint8Array; data: Uint8Array } {
  const graph = fields(model).find(({ number }) => number === MODEL.graph)!
  const data: Uint8Array[] = []
  const body = fields(model, graph).flatMap((field) => {
    const whole = [model.subarray(field.start, field.end)]
    if (field.number !== GRAPH.initializer) return whole
    const parts = fields(model, field)
    const raw = parts.find(({ number }) => number === TENSOR.rawData)
    if (!raw || raw.end - raw.from < 1024) return whole
    const entries = { location: name, offset: Buffer.concat(data).length, length: raw.end - raw.from }
    data.push(model.subarray(raw.from, raw.end))
    return message(GRAPH.initializer, [
      ...parts.filter((part) => part !== raw).map(({ start, end }) => model.subarray(start, end)),
      ...Object.entries(entries).flatMap((entry) =>
        message(
          TENSOR.externalData,
          entry.flatMap((text, at) => message(at + 1, [Buffer.from(String(text))])),
        ),
      ),
      protobuf.Writer.create()
        .uint32(TENSOR.location << 3)
        .int32(1)
        .finish(),
    ])
  })
  return { model: withGraph(model, graph, body), data: Buffer.concat(data) }
}

/** A model with a further table of 32-bit floats. */
export function withFloats(model: Uint8Array, name: string, dims: readonly number[], values: Float32Array): Uint8Array {
  const graph = fields(model).find(({ number }) => number === MODEL.graph)!
  const number = (field: number, value: number) =>
    protobuf.Writer.create()
      .uint32(field << 3)
      .int32(value)
      .finish()
  const table = message(GRAPH.initializer, [
    ...dims.map((size) => number(TENSOR.dims, size)),
    number(TENSOR.dataType, 1),
    ...message(TENSOR.name, [Buffer.from(name)]),
    ...message(TENSOR.rawData, [new Uint8Array(values.buffer)]),
  ])
  return withGraph(model, graph, [model.subarray(graph.from, graph.end), ...table])
}

/** An output of 32-bit floats, of any shape. */
export const floatOutput = (name: string) => [
  ...message(1, [Buffer.from(name)]),
  ...message(2, message(1, [Buffer.from([8, 1])])),
]

/** A model whose input of pixels, in 32-bit floats, has that shape and no other; null for any size along an axis. */
export function withInput(model: Uint8Array, shape: readonly (number | null)[]): Uint8Array {
  const graph = fields(model).find(({ number }) => number === MODEL.graph)!
  const kept = fields(model, graph).filter(({ number }) => number !== GRAPH.input)
  const axis = (size: number) => protobuf.Writer.create().uint32(8).int32(size).finish()
  const axes = shape.flatMap((size) => message(1, size === null ? [] : [axis(size)]))
  const tensor = message(1, [Buffer.from([8, 1]), ...message(2, axes)])
  return withGraph(model, graph, [
    ...kept.map(({ start, end }) => model.subarray(start, end)),
    ...message(GRAPH.input, [...message(1, [Buffer.from('pixel_values')]), ...message(2, tensor)]),
  ])
}

/** A model with further nodes, and another output instead of its own. */
export function withNodes(
  model: Uint8Array,
  nodes: readonly Parameters<typeof newNode>[],
  output: Uint8Array[],
): Uint8Array {
  const graph = fields(model).find(({ number }) => number === MODEL.graph)!
  const kept = fields(model, graph).filter(({ number }) => number !== GRAPH.output)
  return withGraph(model, graph, [
    ...kept.map(({ start, end }) => model.subarray(start, end)),
    ...nodes.flatMap((node) => message(GRAPH.node, newNode(...node))),
    ...message(GRAPH.output, output),
  ])
}
