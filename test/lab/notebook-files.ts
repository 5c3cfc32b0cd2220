import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { Notebook } from '#src/lab/notebook/nbformat.js'

const folders: string[] = []
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

/** A folder that is gone after the tests of the file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rayito-test-'))
  folders.push(folder)
  return folder
}

/** A notebook of code cells; what begins with `#` is Markdown. */
export function notebookOf(...sources: string[]): Notebook {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: sources.map((source, i) =>
      source.startsWith('#')
        ? { id: `cell-${i}`, cell_type: 'markdown', metadata: {}, source }
        : {
            id: `cell-${i}`,
            cell_type: 'code',
            metadata: { tags: [`t${i}`] },
            source,
            execution_count: null,
            outputs: [],
          },
    ),
  }
}

/** Writes such a notebook into a folder of its own; gives the options that run it there. */
export async function notebookIn(...sources: string[]) {
  const cwd = await temporaryFolder()
  const notebook = join(cwd, 'in.ipynb')
  await writeFile(notebook, JSON.stringify(notebookOf(...sources)))
  return { notebook, output: join(cwd, 'out.ipynb'), cwd }
}
