// Runs the built tests: all, or those whose path contains one of the arguments (npm test -- lab hub/cache).
// Node 20's runner takes no patterns and newer ones no folders, and cmd.exe expands neither: so the files are listed here.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
const wanted = process.argv.slice(2).map((part) => part.replaceAll('\\', '/'))
const size = (path) => statSync(join(root, 'test', path)).size
const files = readdirSync(join(root, 'test'), { recursive: true })
  .map((path) => String(path).replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.test.ts') && (wanted.length === 0 || wanted.some((part) => path.includes(part))))
  // Large ones first: they take longest; and those of a cluster, which mostly wait, share the cores with others that compute.
  .sort((a, b) => size(b) - size(a))
  .map((path) => join(root, '.build', 'test', path.replace(/\.ts$/, '.js')))
  .filter((path) => existsSync(path))
if (files.length === 0) {
  console.error(`No test matches ${wanted.join(' ')}`)
  process.exit(1)
}
// A test that hangs fails instead of holding everything up. Many wait for what others notice late: one file more than there are cores.
// (`node --test` itself would run the files in the order of their names.)
const results = run({ files, timeout: 480_000, concurrency: availableParallelism() + 1 })
results.on('test:fail', () => {
  process.exitCode = 1
})
results.compose(new spec()).pipe(process.stdout)
