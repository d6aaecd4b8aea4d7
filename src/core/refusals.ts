import { CoatcheckError } from '../errors.js'

/** The session is no longer there, whoever ended it. */
export function gone(op: string): CoatcheckError {
  return new CoatcheckError('ERR_GONE', 'The session has ended; nothing was stored.', { op })
}

/** The nine names of session members are no keys of data. */
export function reservedKey(name: string): CoatcheckError {
  return new CoatcheckError(
    'ERR_RESERVED_KEY',
    `"${name}" is a member of the session and cannot hold data; choose another key.`,
  )
}

/** A name that tokens have a meaning of their own for. */
export function reservedClaim(name: string): CoatcheckError {
  return new CoatcheckError(
    'ERR_RESERVED_KEY',
    `"${name}" has a meaning of its own in the tokens of this store; choose another key.`,
  )
}

/** The cookie would be lost. @param because who takes how much, as the end of "and …" */
export function cookieTooLarge(size: number, because: string, data: object): CoatcheckError {
  const largest = Object.entries(data)
    .map(([key, value]) => ({
      key: key.slice(0, 40),
      bytes: Buffer.byteLength(JSON.stringify(value) ?? ''),
    }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, 3)
    .map(({ key, bytes }) => `${key} (${bytes})`)
  return new CoatcheckError(
    'ERR_COOKIE_TOO_LARGE',
    `The session cookie would have ${size} bytes, and ${because}; the largest keys are ${largest.join(', ')}.`,
    { op: 'commit', outcome: 'failed' },
  )
}

/** What needs somebody to ask, where the clients have the sessions. */
export function withoutServer(op: 'list' | 'revoke' | 'revokeUser'): CoatcheckError {
  const instead = op === 'list' ? '' : ', or the option revocations'
  return new CoatcheckError(
    'ERR_UNSUPPORTED',
    `${op} needs a store that keeps sessions${instead}; here the clients have them.`,
    { op },
  )
}

/** What was assigned to `req.session` holds no data that JSON could keep. */
export function noData(kind: string): CoatcheckError {
  return new CoatcheckError(
    'ERR_NOT_SERIALIZABLE',
    `The session can be set to an object of data, or to null to end it, but not to ${kind}.`,
  )
}

/** A new id needs a cookie, and none can be sent. */
export function tooLate(code: 'ERR_HEADERS_SENT' | 'ERR_NO_RESPONSE'): CoatcheckError {
  return new CoatcheckError(
    code,
    code === 'ERR_NO_RESPONSE'
      ? 'This would need a cookie, and there is no response.'
      : 'This would need a cookie, and the headers have already left.',
  )
}

/** The store has not answered in time. It may still do what it was asked. */
export function unanswered(
  store: string,
  op: string,
  ms: number,
  details: { readonly status?: number } = {},
): CoatcheckError {
  return new CoatcheckError(
    'ERR_STORE_TIMEOUT',
    `${store} did not answer to ${op} within ${ms} ms (storeTimeout).`,
    { op, store, ...details, retryable: true, outcome: 'unknown' },
  )
}

/** Others changed the session each time this one was about to be written. */
export function crowded(store: string, op: string, tries: number): CoatcheckError {
  return new CoatcheckError(
    'ERR_CONFLICT',
    `The session was changed by others ${tries} times in a row; nothing was stored.`,
    { op, store, retryable: true, outcome: 'failed' },
  )
}

/** An id from a program's own source, which somebody else has: whoever joined it would be that one. */
export function idTaken(store: string): CoatcheckError {
  return new CoatcheckError(
    'ERR_ID_TAKEN',
    'genid gave an id that another session has; nothing was stored.',
    { op: 'set', store, outcome: 'failed' },
  )
}

export function idsTaken(store: string): CoatcheckError {
  return new CoatcheckError('ERR_ID_TAKEN', 'Four new session ids in a row were taken.', {
    op: 'create',
    store,
    outcome: 'failed',
  })
}

/** A call of the handler is still under way, and the response waits for it. */
export function lineTimeout(ms: number): CoatcheckError {
  return new CoatcheckError(
    'ERR_STORE_TIMEOUT',
    `A session call that nobody awaited did not end within ${ms} ms (storeTimeout) of the response.`,
    { op: 'commit', status: 500, outcome: 'unknown' },
  )
}

/** Under `onStoreError: 'anonymous'`, what cannot be known cannot be changed. */
export function readOnly(): CoatcheckError {
  return new CoatcheckError(
    'ERR_READ_ONLY',
    'The store could not be reached when this request began, so its session cannot be changed.',
    { retryable: true },
  )
}

/** Under `concurrency: 'strict'`, somebody else was faster. */
export function strictConflict(): CoatcheckError {
  return new CoatcheckError(
    'ERR_CONFLICT',
    'Another request changed the same keys of the session; nothing was stored.',
    { op: 'replace', retryable: true, outcome: 'failed' },
  )
}

/** Something came after `sessions.close()`. */
export function closed(): CoatcheckError {
  return new CoatcheckError('ERR_CLOSED', 'This session manager has been closed.')
}
