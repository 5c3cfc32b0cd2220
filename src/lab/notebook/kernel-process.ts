/**
 * The process of a notebook kernel: tslab's own program, which also ends when the runner that started it is gone, so that
 * neither a kernel nor the folder of its connection file is left behind, however the runner ends. Its end of the pipe on
 * stdin closes; where a cell spins, which hears of nothing, a thread notices.
 */
import { rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
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
