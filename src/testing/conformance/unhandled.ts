import { setImmediate } from 'node:timers/promises'

/**
 * Runs `run` and gives the reasons of the rejections that nobody has handled meanwhile, which would
 * end a process. The listeners of the test runner do not hear of them.
 */
export async function unhandledDuring(run: () => Promise<void>): Promise<unknown[]> {
  const reasons: unknown[] = []
  const listener = (reason: unknown) => void reasons.push(reason)
  const others = process.rawListeners('unhandledRejection') as (typeof listener)[]
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', listener)
  try {
    await run()
    // Node tells of them once the promises of this turn are done.
    for (let turn = 0; turn < 3; turn++) await setImmediate()
  } finally {
    process.off('unhandledRejection', listener)
    for (const other of others) process.on('unhandledRejection', other)
  }
  return reasons
}
