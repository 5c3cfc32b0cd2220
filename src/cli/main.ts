#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { ERRORS, RayitoError } from '../core/errors.js'
import { inLines } from '../core/format.js'
import { userPlace } from '../core/user-stack.js'

/** Loaded when they are asked for: a server need not wait for what reads notebooks. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  start: async () => (await import('./cluster.js')).withHead((await import('./start.js')).startCommand()),
  serve: async () => (await import('./serve.js')).serveCommand(),
  jupyter: async () => (await import('./jupyter.js')).jupyterCommand(),
  worker: async () => (await import('./cluster.js')).workerCommand(),
  status: async () => (await import('./cluster.js')).statusCommand(),
  stop: async () => (await import('./cluster.js')).stopCommand(),
}

/**
 * The command `rayito`. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 notebooks stopped by Ctrl-C; servers and workers that are asked to end have done what they should.
 * A user's mistake is one line on stderr; a stack is shown for faults of the program only.
 */
async function main(): Promise<number> {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  const program = new Command('rayito')
    .description("Ray's programming model for TypeScript, and the laboratory that teaches it")
    .version(version)
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${command.usage()}` })
    .configureOutput({ outputError: (text, write) => write(`rayito: ${inOneLine(text)}\n`) })
  const asked = COMMANDS[process.argv[2] ?? '']
  for (const load of asked ? [asked] : Object.values(COMMANDS)) program.addCommand(await load())
  inherit(program)
  try {
    await program.parseAsync()
    return Number(process.exitCode ?? 0)
  } catch (error) {
    return exitCode(error)
  }
}

/** What commander says, with what to do next, which it says of wrong values only. */
function inOneLine(text: string): string {
  const said = text
    .replace(/^error: /, '')
    .trim()
    .replaceAll('\n', ' ')
  return said.endsWith('.') ? said : `${said}. ${ERRORS.USAGE.remedy}`
}

function inherit(program: Command): void {
  for (const command of program.commands) inherit(command.copyInheritedSettings(program))
}

/** Where an application's own code went wrong: that is its user's to mend. */
function placeIn(error: RayitoError): string {
  if (error.code !== 'SERVE_APP_NOT_FOUND' && error.code !== 'SERVE_DEPLOY_FAILED') return ''
  let root: unknown = error
  while (root instanceof Error && root.cause) root = root.cause
  const place = root instanceof RayitoError ? '' : userPlace(root)
  return place && ` (${place})`
}

function exitCode(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof RayitoError) {
    process.stderr.write(`rayito: ${inLines(error.message)}${placeIn(error)}\n`)
    if (error.code === 'NOTEBOOK_STOPPED') return 130
    return error.code === 'USAGE' || error.code === 'INVALID_ARGUMENT' ? 2 : 1
  }
  console.error(error)
  return 1
}

/**
 * `npm run` and `npx` pass a signal on to the shell in which they run a command, and it ends without a word to the command, which
 * would go on, with its port. So the command ends in order when the shell has gone.
 */
function endWithShell(): void {
  if (!process.env.npm_lifecycle_event || process.platform === 'win32') return
  const shell = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === shell) return
    clearInterval(watch)
    // A terminal that was closed has said SIGHUP, and a second one would end the command at once.
    process.kill(process.pid, 'SIGTERM')
  }, 200).unref()
}

endWithShell()

// Of a terminal or a pipe that is gone: what is said is lost then, and the command ends in order all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

main().then((code) => {
  process.exitCode = code
})
