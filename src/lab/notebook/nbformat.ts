import { readFile } from 'node:fs/promises'
import { RayitoError } from '../../core/errors.js'
import { writeWhole } from '../write-whole.js'

/** Text as nbformat keeps it on disk: a string, or its lines with their line ends. */
export type Multiline = string | string[]

/** Contents of one output by MIME type. Pictures are base64, other text as it is, JSON as values. */
export type MimeBundle = Record<string, unknown>

export type Output =
  | { output_type: 'stream'; name: 'stdout' | 'stderr'; text: Multiline }
  | { output_type: 'display_data'; data: MimeBundle; metadata: Record<string, unknown> }
  | {
      output_type: 'execute_result'
      data: MimeBundle
      metadata: Record<string, unknown>
      execution_count: number | null
    }
  | { output_type: 'error'; ename: string; evalue: string; traceback: string[] }

interface CellBase {
  id?: string
  metadata: Record<string, unknown>
  source: Multiline
}
export interface CodeCell extends CellBase {
  cell_type: 'code'
  execution_count: number | null
  outputs: Output[]
}
export interface TextCell extends CellBase {
  cell_type: 'markdown' | 'raw'
  attachments?: Record<string, MimeBundle>
}
export type Cell = CodeCell | TextCell

/** A Jupyter notebook, nbformat 4 (https://nbformat.readthedocs.io/en/latest/format_description.html). */
export interface Notebook {
  cells: Cell[]
  metadata: Record<string, unknown>
  nbformat: number
  nbformat_minor: number
}

/** The text of a multi-line field. */
export function textOf(value: unknown): string {
  return Array.isArray(value) ? value.join('') : String(value ?? '')
}

/** Lines with their ends, as nbformat stores text. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

/** Reads a notebook. Rejects with NOTEBOOK_INVALID when the file is not one. */
export async function readNotebook(path: string): Promise<Notebook> {
  let notebook: Notebook
  try {
    notebook = JSON.parse(await readFile(path, 'utf8')) as Notebook
  } catch (cause) {
    throw new RayitoError('NOTEBOOK_INVALID', `Expected a notebook at ${path}, got: ${(cause as Error).message}`, {
      cause,
    })
  }
  if (notebook?.nbformat !== 4 || !Array.isArray(notebook.cells))
    throw new RayitoError('NOTEBOOK_INVALID', `Expected nbformat 4 in ${path}, got nbformat ${notebook?.nbformat}`)
  return notebook
}

/**
 * The file's text in one canonical form, so that two versions differ only where their content does: one space of
 * indentation, sorted keys, text as lines – as Jupyter writes it.
 */
export function formatNotebook(notebook: Notebook): string {
  const cells = notebook.cells.map((cell) => ({
    ...cell,
    source: linesOf(textOf(cell.source)),
    ...(cell.cell_type === 'code' ? { outputs: cell.outputs.map(diskOutput) } : {}),
  }))
  return `${JSON.stringify(sorted({ ...notebook, cells }), null, 1)}\n`
}

/** Writes a notebook whole or not at all. */
export async function writeNotebook(path: string, notebook: Notebook): Promise<void> {
  await writeWhole(path, formatNotebook(notebook))
}

function diskOutput(output: Output): Output {
  if (output.output_type === 'stream') return { ...output, text: linesOf(textOf(output.text)) }
  if (output.output_type === 'error') return output
  const data = Object.entries(output.data).map(([type, value]) => [type, isText(type) ? linesOf(textOf(value)) : value])
  return { ...output, data: Object.fromEntries(data) }
}

function isText(type: string): boolean {
  return type.startsWith('text/') || type === 'image/svg+xml' || type === 'application/javascript'
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]))
}
