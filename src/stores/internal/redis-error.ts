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
    cause,
  })
}
