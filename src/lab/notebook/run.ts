import { resolve } from 'node:path'
import { RayitoError } from '../../core/errors.js'
import { failure } from './failure.js'
import { Kernel } from './kernel.js'
import { withoutCode } from './markdown.js'
import { type CodeCell, type Notebook, type Output, readNotebook, textOf, writeNotebook } from './nbformat.js'
import { type Displays, Outputs } from './outputs.js'

/** How far an execution is. */
export interface CellProgress {
  /** Number of the code cell, from 1, and how many there are. */
  cell: number
  cells: number
  /** The last heading above the cell. */
  title: string
  /** Which of the cells below that heading it is, from 1, and how many those are. */
  part: number
  parts: number
  /** What the cell has shown so far: it grows while the cell runs. */
  outputs: readonly Output[]
}

export interface RunOptions {
  /** The notebook to execute. */
  notebook: string
  /** Where the executed notebook is written: with the outputs so far, also when a cell fails. */
  output: string
  /** Folder in which the cells run. */
  cwd: string
  /** Environment of the kernel. @default process.env */
  env?: NodeJS.ProcessEnv
  /** Ends the kernel and what runs in it. */
  signal?: AbortSignal
  /** Told when a cell begins; what it returns is called when the cell has ended. */
  onCell?: (progress: CellProgress) => (status: 'ok' | 'error' | 'stopped') => void
}

/**
 * Executes a notebook from top to bottom in a fresh tslab kernel and writes it with its outputs.
 * Rejects with NOTEBOOK_FAILED (cell number, line and text of the error) when a cell fails, KERNEL_DIED when the kernel
 * ends, NOTEBOOK_STOPPED when `signal` is aborted; what had run by then is written all the same.
 */
export async function runNotebook(options: RunOptions): Promise<Notebook> {
  const notebook = await readNotebook(options.notebook)
  for (const cell of codeCells(notebook)) Object.assign(cell, { outputs: [], execution_count: null })
  const { env, signal } = options
  const kernel = await Kernel.start({ cwd: resolve(options.cwd), env, signal }).catch((error) => {
    throw signal?.aborted ? new RayitoError('NOTEBOOK_STOPPED', 'Stopped before the first cell') : error
  })
  const stop = () => void kernel.close()
  signal?.addEventListener('abort', stop)
  if (signal?.aborted) stop()
  try {
    await executeCells(notebook, kernel, options)
  } finally {
    signal?.removeEventListener('abort', stop)
    await kernel.close()
    const kernelspec = { name: 'tslab', display_name: 'TypeScript', language: 'typescript' }
    notebook.metadata = { ...notebook.metadata, kernelspec, language_info: kernel.languageInfo }
    await writeNotebook(options.output, notebook)
  }
  return notebook
}

async function executeCells(notebook: Notebook, kernel: Kernel, options: RunOptions): Promise<void> {
  const displays: Displays = new Map()
  const cells = codeCells(notebook)
  for (const [index, cell] of cells.entries()) {
    const source = textOf(cell.source)
    if (source.trim() === '') continue
    const outputs = new Outputs(displays)
    cell.outputs = outputs.list
    const place = { cell: index + 1, cells: cells.length, ...chapterOf(notebook, cell), outputs: outputs.list }
    const ended = options.onCell?.(place)
    const isStopped = () => options.signal?.aborted ?? false
    const stopped = () =>
      new RayitoError('NOTEBOOK_STOPPED', `Stopped in cell ${place.cell} of ${place.cells} (${place.title})`, {
        cell: place.cell,
      })
    try {
      const { status, count, lossy } = await kernel.execute(source, (message) => outputs.add(message))
      cell.execution_count = count
      const { stderr } = outputs
      outputs.end(lossy)
      ended?.(status === 'ok' ? 'ok' : isStopped() ? 'stopped' : 'error')
      if (status === 'ok') continue
      // Of what ends it a cell may hear first, and fail.
      if (isStopped()) throw stopped()
      throw failure(source, stderr, place)
    } catch (error) {
      outputs.end()
      if (!(error instanceof RayitoError) || error.code !== 'KERNEL_DIED') throw error
      ended?.(isStopped() ? 'stopped' : 'error')
      if (isStopped()) throw stopped()
      throw new RayitoError('KERNEL_DIED', `Cell ${place.cell} of ${place.cells} (${place.title}): ${error.message}`, {
        cause: error,
        cell: place.cell,
        exitCode: (error as { exitCode?: number }).exitCode,
      })
    }
  }
}

/** The cells that run, in order. */
export function codeCells(notebook: Notebook): CodeCell[] {
  return notebook.cells.filter((cell): cell is CodeCell => cell.cell_type === 'code')
}

/** The heading a cell stands below, and its place among the cells there. */
function chapterOf(notebook: Notebook, cell: CodeCell) {
  const headings = notebook.cells.filter(
    ({ cell_type, source }) => cell_type === 'markdown' && headingsOf(textOf(source)).length > 0,
  )
  const headingOf = (one: CodeCell) =>
    headings.findLast((heading) => notebook.cells.indexOf(heading) < notebook.cells.indexOf(one))
  const same = codeCells(notebook).filter((one) => headingOf(one) === headingOf(cell))
  return { title: titleOf(notebook, cell), part: same.indexOf(cell) + 1, parts: same.length }
}

/** Text of the last heading above a cell, without its marks. */
export function titleOf(notebook: Notebook, cell: CodeCell): string {
  const above = notebook.cells
    .slice(0, notebook.cells.indexOf(cell))
    .filter(({ cell_type }) => cell_type === 'markdown')
  const headings = above.flatMap(({ source }) => headingsOf(textOf(source)))
  return (headings.at(-1) ?? '')
    .replace(/^#+ /, '')
    .replace(/[*_`]|\[([^\]]*)\]\([^)]*\)/g, '$1')
    .trim()
}

function headingsOf(markdown: string): string[] {
  return withoutCode(markdown).match(/^#{1,6} .+$/gm) ?? []
}
