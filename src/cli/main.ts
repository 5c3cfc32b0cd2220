#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { RayitoError } from '../core/errors.js'
import { statusCommand, stopCommand, withHead, workerCommand } from './cluster.js'
import { jupyterCommand } from './jupyter.js'
import { startCommand } from './start.js'

/**
 * The command `rayito`. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.
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
    .configureOutput({ outputError: (text, write) => write(`rayito: ${text.replace(/^error: /, '')}`) })
    .addCommand(withHead(startCommand()))
    .addCommand(jupyterCommand())
    .addCommand(workerCommand())
    .addCommand(statusCommand())
    .addCommand(stopCommand())
  for (const command of program.commands) command.copyInheritedSettings(program)
  try {
    await program.parseAsync()
    return Number(process.exitCode ?? 0)
  } catch (error) {
    return exitCode(error)
  }
}

function exitCode(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof RayitoError) {
    process.stderr.write(`rayito: ${error.message}\n`)
    if (error.code === 'NOTEBOOK_STOPPED') return 130
    return error.code === 'USAGE' ? 2 : 1
  }
  console.error(error)
  return 1
}

main().then((code) => {
  process.exitCode = code
})
