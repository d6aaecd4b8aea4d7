import { CoatcheckError } from '../../errors.js'
import { refusalIn } from './redis-answers.js'

/** What will be refused the next time too. */
const LASTING = new Set(['NOPERM', 'NOAUTH', 'WRONGPASS', 'WRONGTYPE', 'ERR', 'NOPROTO'])

/**
 * The coded error of an operation that did not come through. Only a server that has refused it has
 * surely not done it.
 */
export function redisError(op: string, cause: unknown, isClosed: boolean): CoatcheckError {
  if (cause instanceof CoatcheckError) return cause
  const refusal = refusalIn(cause)
  const code = (cause as { code?: unknown } | null | undefined)?.code
  const why = refusal ?? (typeof code === 'string' ? code : 'no answer')
  const hint = isClosed
    ? 'the client is closed, or was never connected: await its connect() before the first request'
    : why
  return new CoatcheckError('ERR_STORE', `RedisStore: ${op} failed (${hint})`, {
    op,
    store: 'RedisStore',
    retryable: refusal === undefined || !LASTING.has(refusal),
    outcome: refusal === undefined ? 'unknown' : 'failed',
    cause: withoutData(cause),
  })
}

const HARMLESS = ['code', 'errno', 'syscall']

/**
 * The driver's error, for logs. ioredis leaves the arguments in it, and a server quotes those of a
 * command that it does not have: these are sessions, and under the drop-in their ids.
 */
function withoutData(thrown: unknown): unknown {
  const told = (thrown ?? {}) as Record<string, unknown>
  if (typeof told.message !== 'string') return undefined
  const copy = new Error(told.message.replace(/, with args beginning with.*/s, ''))
  copy.name = nameOf(thrown as object)
  const frames = typeof told.stack === 'string' ? told.stack.match(/^ {4}at .*$/gm) : null
  copy.stack = [`${copy.name}: ${copy.message}`, ...(frames ?? [])].join('\n')
  for (const name of HARMLESS) {
    const value = told[name]
    if (typeof value !== 'string' && typeof value !== 'number') continue
    Object.defineProperty(copy, name, { value, enumerable: true })
  }
  return copy
}

/** Errors of node-redis are told apart by their classes only. */
function nameOf(thrown: { name?: unknown }): string {
  const { name } = thrown
  return typeof name === 'string' && name !== 'Error' ? name : thrown.constructor.name
}
