#!/usr/bin/env node
import { readFileSync, realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { FAILED, runCommandLine } from './command-line.js'

// The program behind `npx coatcheck`. No other module imports it: it runs when it is loaded.

/** A reader that has enough closes the pipe, which is no failure: `coatcheck help | head -1`. */
function onOutputError({ code, message }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE') process.exit()
  // A full disk: the secret is not where it should be.
  process.exitCode = FAILED
  process.stderr.write(`coatcheck cannot write: ${message}\n`)
}

function version(): string {
  // The package manager has put a link to this file elsewhere.
  const file = realpathSync(process.argv[1] ?? '')
  const manifest: unknown = JSON.parse(
    readFileSync(resolve(file, '../../../../package.json'), 'utf8'),
  )
  return (manifest as { version: string }).version
}

process.stdout.on('error', onOutputError)
process.stderr.on('error', () => {})

runCommandLine(
  process.argv.slice(2),
  {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
  },
  version,
).then((code) => {
  // Not `exit`: what is written to a pipe may still be on its way. A failed write has set its own.
  process.exitCode ??= code
})
