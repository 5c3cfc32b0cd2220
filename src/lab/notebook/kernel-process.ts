/**
 * The process of a notebook kernel: tslab's own program, which also ends when the runner that started it is gone (its
 * end of the pipe on stdin closes), so that no kernel is left behind, however the runner ends. Beside the connection file
 * lies the JavaScript of the cell that runs, `cell.js`.
 */
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import vm from 'node:vm'

process.stdin.on('close', () => process.kill(process.pid, 'SIGKILL')).resume()

// Ten frames often end inside a library: the cell's own line, which the runner tells, is the last one.
Error.stackTraceLimit = 40

const folder = dirname(process.argv.find((argument) => argument.startsWith('--config-path='))!.split('=', 2)[1]!)
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
