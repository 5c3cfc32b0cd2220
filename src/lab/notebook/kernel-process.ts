/**
 * The process of a notebook kernel: tslab's own program, which also ends when the runner that started it is gone, so that
 * neither a kernel nor the folder of its connection file is left behind, however the runner ends. Its end of the pipe on
 * stdin closes; where a cell spins, which hears of nothing, a thread notices. Beside the connection file lies the JavaScript of
 * the cell that runs, `cell.js`.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import vm from 'node:vm'
import { endWithParent } from '../../core/orphan.js'

const folder = dirname(
  process.argv.find((argument) => argument.startsWith('--config-path='))!.replace('--config-path=', ''),
)
endWithParent(process.ppid, folder)
process.stdin
  .on('close', () => {
    rmSync(folder, { recursive: true, force: true })
    process.kill(process.pid, 'SIGKILL')
  })
  .resume()

// Ten frames often end inside a library: the cell's own line, which the runner tells, is the last one.
Error.stackTraceLimit = 40

const { runInThisContext } = vm
vm.runInThisContext = (code, options) => {
  // tslab alone asks for that, and for cells alone.
  if (typeof options === 'object' && options?.breakOnSigint) keep(code)
  return runInThisContext(code, options)
}

function keep(code: string): void {
  try {
    writeFileSync(join(folder, 'cell.js'), code)
  } catch {
    // A full disk is no reason for a cell to fail; only the line of its error is not found then.
  }
}

// Nobody asks this kernel what a name is for: declarations are read without their comments, which are most of their text
// and a seventh of the time that the compiler takes for a notebook.
const tslab = createRequire(createRequire(import.meta.url).resolve('tslab/package.json'))
const { sys } = tslab('@tslab/typescript-for-tslab') as {
  sys: { readFile(path: string, encoding?: string): string | undefined }
}
const { readFile } = sys
sys.readFile = (path, encoding) => {
  const text = readFile(path, encoding)
  return path.endsWith('.d.ts') ? text?.replace(/^[ \t]*\/\*\*[\s\S]*?\*\//gm, '') : text
}

await import('./tslab.js')
