// Runs the built tests: all, or those whose path contains one of the arguments (npm test -- lab hub/cache).
// Node 20's runner takes no patterns and newer ones no folders, and cmd.exe expands neither: so the files are listed here.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const wanted = process.argv.slice(2)
const size = (path) => statSync(join(root, 'test', path)).size
const files = readdirSync(join(root, 'test'), { recursive: true })
  .map((path) => String(path).replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.test.ts') && (wanted.length === 0 || wanted.some((part) => path.includes(part))))
  // Large ones first: they take longest; and those of a cluster, which mostly wait, share the cores with others that compute.
  .sort((a, b) => size(b) - size(a))
  .map((path) => join('.build', 'test', path.replace(/\.ts$/, '.js')))
  .filter((path) => existsSync(join(root, path)))
if (files.length === 0) {
  console.error(`No test matches ${wanted.join(' ')}`)
  process.exit(1)
}
// A test that hangs fails instead of holding everything up. Many wait for what others notice late: one file more than there are cores.
const concurrency = availableParallelism() + 1
const options = ['--test', '--test-timeout=480000', `--test-concurrency=${concurrency}`, '--test-reporter=spec']
const { status } = spawnSync(process.execPath, [...options, ...files], { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)
