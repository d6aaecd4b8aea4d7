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
