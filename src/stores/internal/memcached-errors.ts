import { CoatcheckError } from '../../errors.js'

/** An error of MemcachedStore. `sent`: the server may have done what it was asked. */
export function itemError(message: string, sent: boolean, cause?: unknown): CoatcheckError {
  return new CoatcheckError('ERR_STORE', `MemcachedStore: ${message}`, {
    store: 'MemcachedStore',
    retryable: true,
    outcome: sent ? 'unknown' : 'failed',
    ...(cause === undefined ? {} : { cause }),
  })
}

export function silent(limit: number, sent: boolean): CoatcheckError {
  const message = `MemcachedStore: the server did not answer within ${limit} ms.`
  return new CoatcheckError('ERR_STORE_TIMEOUT', message, {
    store: 'MemcachedStore',
    retryable: true,
    outcome: sent ? 'unknown' : 'failed',
  })
}

/** A lost connection is one error to all that wait for it: each caller gets its own, with its `op`. */
export function during(op: string, error: unknown): unknown {
  if (!(error instanceof CoatcheckError) || error.op !== undefined) return error
  const { code, message, store = 'MemcachedStore', retryable, outcome, cause } = error
  return new CoatcheckError(code, message, {
    ...{ op, store, retryable, cause },
    ...(outcome && { outcome }),
  })
}

export function closed(): CoatcheckError {
  return new CoatcheckError('ERR_CLOSED', 'MemcachedStore has been closed.', {
    store: 'MemcachedStore',
    outcome: 'failed',
  })
}

/**
 * What the server says no with. `ERROR`, `CLIENT_ERROR` and `SERVER_ERROR` are the only forms
 * (protocol.txt), and none of them repeats a key or a value. Logs get nothing of it that is no text.
 */
export function refusal(line: string): CoatcheckError {
  if (/too large/i.test(line)) return tooLarge()
  return itemError(`the server refused: ${line.slice(0, 100).replace(/[^ -~]/g, '?')}.`, false)
}

export function tooLarge(): CoatcheckError {
  return new CoatcheckError(
    'ERR_RECORD_TOO_LARGE',
    'MemcachedStore: the record is over the limit of the server for one item (its option -I, 1 MB by default).',
    { store: 'MemcachedStore', outcome: 'failed' },
  )
}
