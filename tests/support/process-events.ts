import { onTestFinished } from 'vitest'

type ProcessError = 'unhandledRejection' | 'uncaughtException'

/** Collects what would end the process, in place of the runner's own listeners. */
export function fatal(event: ProcessError): unknown[] {
  const seen: unknown[] = []
  const listener = (reason: unknown) => void seen.push(reason)
  const others = process.rawListeners(event) as (() => void)[]
  process.removeAllListeners(event)
  process.on(event, listener)
  onTestFinished(() => {
    process.off(event, listener)
    for (const other of others) process.on(event, other)
  })
  return seen
}

/** Collects the codes of what was given to `process.emitWarning` from now on. */
export function processWarnings(): unknown[] {
  const seen: unknown[] = []
  const listener = ({ code }: Error & { code?: string }) => {
    // Not those of Node itself.
    if (code?.startsWith('WARN_')) seen.push(code)
  }
  process.on('warning', listener)
  onTestFinished(() => void process.off('warning', listener))
  return seen
}
