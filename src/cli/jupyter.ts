import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { RayitoError } from '../core/errors.js'
import { fromHere, rayitoCache } from '../core/paths.js'
import { unwritable } from '../lab/write-whole.js'

/** The JupyterLab that is installed where there is none. */
const JUPYTERLAB = 'jupyterlab==4.6.6'
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** `rayito jupyter`: JupyterLab on the notebooks, with the TypeScript kernel ready; nothing is left outside this folder if it can be written. */
export function jupyterCommand(): Command {
  return new Command('jupyter')
    .description('open JupyterLab on the notebooks, with the TypeScript kernel ready')
    .argument('[args...]', 'given to jupyter lab as they are, e.g. --no-browser --port 8899')
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption('--help', 'display help for command')
    .action(async (args: string[]) => {
      process.exitCode = await openJupyter(args)
    })
}

async function openJupyter(args: string[]): Promise<number> {
  const jupyter = installedJupyter() ?? ownJupyter()
  const kernels = writeKernelSpec([join(ROOT, 'out', '.jupyter'), join(rayitoCache(), 'jupyter')])
  const path = [kernels, process.env.JUPYTER_PATH].filter(Boolean).join(delimiter)
  const [command, ...before] = jupyter
  // Heard before it is there, so that no signal ends us alone. A terminal sends Ctrl-C to both of us: JupyterLab asks what to do
  // with it, we wait for its end.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const name of ['SIGTERM', 'SIGHUP'] as const) process.on(name, () => child.kill('SIGTERM'))
  // An exported page is handed in alone: it holds the figures instead of naming their files.
  const child = spawn(command!, [...before, 'lab', '--HTMLExporter.embed_images=True', ...args], {
    cwd: join(ROOT, 'notebooks'),
    env: { ...fromHere(process.env), JUPYTER_PATH: path },
    stdio: 'inherit',
  })
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code === 0 ? 0 : 1))
  })
}

/** `jupyter` on the PATH, if it has JupyterLab. */
function installedJupyter(): string[] | null {
  return works(['jupyter', 'lab', '--version']) ? ['jupyter'] : null
}

/** JupyterLab in a virtual environment inside the project, made when it is not there. */
function ownJupyter(): string[] {
  const venv = join(ROOT, '.venv')
  const python = process.platform === 'win32' ? join(venv, 'Scripts', 'python.exe') : join(venv, 'bin', 'python')
  const own = () => {
    // JupyterLab brings a script that Node is to take for CommonJS, which it does not in a package of modules.
    writeFile(join(venv, 'package.json'), '{ "type": "commonjs" }\n')
    return [python, '-m', 'jupyter']
  }
  if (works([python, '-m', 'jupyterlab', '--version'])) return own()
  const system = ['python3', 'python', 'py'].find((name) =>
    works([name, '-c', 'import venv, ensurepip, sys; sys.exit(sys.version_info < (3, 10))']),
  )
  if (!system)
    throw new RayitoError('PYTHON_MISSING', 'Neither `jupyter` nor a Python ≥ 3.10 with venv and pip was found')
  process.stdout.write(`No jupyter found: installing ${JUPYTERLAB} into ${venv} (once)\n`)
  // It may have been interrupted before it had pip.
  if (!works([python, '-m', 'pip', '--version'])) run([system, '-m', 'venv', venv])
  run([python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', JUPYTERLAB])
  return own()
}

/** Writes the kernel's description into the first folder that takes it; returns that, to be put into JUPYTER_PATH. */
function writeKernelSpec([folder, ...others]: string[]): string {
  const tslab = fileURLToPath(new URL('../lab/notebook/tslab.js', import.meta.url))
  const spec = {
    argv: [process.execPath, tslab, 'kernel', '--config-path', '{connection_file}'],
    display_name: 'TypeScript',
    language: 'typescript',
    // Windows has no signal for it.
    ...(process.platform === 'win32' && { interrupt_mode: 'message' }),
  }
  try {
    writeFile(join(folder!, 'kernels', 'tslab', 'kernel.json'), `${JSON.stringify(spec, null, 2)}\n`)
    return folder!
  } catch (error) {
    if (others.length === 0) throw error
    return writeKernelSpec(others)
  }
}

/** Leaves a file as it is where it says that already. @throws RayitoError RESULTS_UNWRITABLE */
function writeFile(path: string, text: string): void {
  try {
    if (existsSync(path) && readFileSync(path, 'utf8') === text) return
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  } catch (cause) {
    throw unwritable(
      path,
      cause,
      'Make its folder writable, or point RAYITO_CACHE to one that is, on a disk with room.',
    )
  }
}

function works([command, ...args]: string[]): boolean {
  return spawnSync(command!, args, { stdio: 'ignore' }).status === 0
}

function run([command, ...args]: string[]): void {
  const { status } = spawnSync(command!, args, { stdio: 'inherit' })
  if (status !== 0)
    throw new RayitoError('PYTHON_MISSING', `\`${command} ${args.join(' ')}\` ended with exit code ${status}`)
}
