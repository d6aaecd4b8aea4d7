import { type Command, type Terminal, UsageError } from './command.js'
import { secret } from './secret.js'

/** Every command by its name. */
const COMMANDS: ReadonlyMap<string, Command> = new Map([['secret', secret]])

const HELP = ['help', '--help', '-h']
const VERSION = ['--version', '-v']

/** Exit codes: done, failed, and not understood, as shells and their builtins have them. */
export const DONE = 0
export const FAILED = 1
export const NOT_UNDERSTOOD = 2

/**
 * Does what a command line says, and gives the exit code. Never rejects: what goes wrong is a line
 * for `err`.
 * @param args what stands behind `coatcheck`
 * @param version of this package, asked for when it is wanted
 */
export async function runCommandLine(
  args: readonly string[],
  terminal: Terminal,
  version: () => string,
): Promise<number> {
  try {
    await run(args, terminal, version)
    return DONE
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    terminal.err(message)
    return error instanceof UsageError ? NOT_UNDERSTOOD : FAILED
  }
}

async function run(
  [name, ...rest]: readonly string[],
  terminal: Terminal,
  version: () => string,
): Promise<void> {
  if (name === undefined) throw new UsageError(help())
  if (HELP.includes(name)) return terminal.out(help())
  if (VERSION.includes(name)) return terminal.out(version())
  const command = COMMANDS.get(name)
  if (command === undefined) {
    throw new UsageError(`coatcheck has no command ${JSON.stringify(name)}. Try: coatcheck help`)
  }
  if (rest.some((one) => one === '--help' || one === '-h')) return terminal.out(help())
  await command.run(rest, terminal)
}

function help(): string {
  const rows: [string, string][] = [...COMMANDS].map(([name, { summary }]) => [name, summary])
  rows.push(['help', 'prints this'], ['--version', 'prints the version of coatcheck'])
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`)
  return ['Usage: coatcheck <command>', '', ...lines].join('\n')
}
