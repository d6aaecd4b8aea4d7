/**
 * Every code an error of this package can carry, with the status it has by itself. `docs/errors.md`
 * has a row for each. Absent, expired, malformed and tampered tokens are values, never errors: an
 * error means that the program is wrong or that a system failed.
 */
export const ERROR_STATUS = {
  ERR_OPTION: 500,
  ERR_STORE: 503,
  ERR_STORE_TIMEOUT: 503,
  ERR_READ_ONLY: 503,
  ERR_CONFLICT: 409,
  ERR_GONE: 409,
  ERR_HEADERS_SENT: 500,
  ERR_NOT_SERIALIZABLE: 500,
  ERR_RESERVED_KEY: 500,
  ERR_COOKIE_TOO_LARGE: 500,
  ERR_RECORD_TOO_LARGE: 500,
  ERR_ID_TAKEN: 500,
  ERR_UNSUPPORTED: 500,
  ERR_NO_RESPONSE: 500,
  ERR_CLOSED: 500,
} as const

/** The code of an error of this package. */
export type ErrorCode = keyof typeof ERROR_STATUS

/** Every code of a warning. */
export const WARNING_CODES = [
  'WARN_HELD_BYTES',
  'WARN_TOO_LATE',
  'WARN_INSECURE_HOP',
  'WARN_WEAK_SECRET',
  'WARN_CACHEABLE',
  'WARN_LIFETIME_CAPPED',
  'WARN_COOKIE_LARGE',
  'WARN_MEMORY_STORE',
  'WARN_LEGACY_STORE',
] as const

/** The code of a warning, given once per manager by `process.emitWarning` and as an event. */
export type WarningCode = (typeof WARNING_CODES)[number]

/** What an error can tell besides its message. Nothing in it is an id, a cookie, a secret or data. */
export interface ErrorDetails {
  /** The operation that failed, such as `load` or `replace`. */
  op?: string
  /** The class name of the store. */
  store?: string
  /** Whether the same request may succeed a moment later. @default false */
  retryable?: boolean
  /** `failed`: nothing was stored. `unknown`: a time-out, the store may still do it. */
  outcome?: 'failed' | 'unknown'
  /** The status a response should have; overrides the default of the code. */
  status?: number
  cause?: unknown
}

/** The one class of errors that this package throws while it runs. Tell them apart by `code`. */
export class CoatcheckError extends Error {
  override readonly name: string = 'CoatcheckError'
  readonly code: ErrorCode
  /** The HTTP status that Express and others answer with. */
  readonly status: number
  /** Read by Express: the message is for the log, not for the visitor. */
  readonly expose = false
  readonly retryable: boolean
  readonly op?: string
  readonly store?: string
  readonly outcome?: 'failed' | 'unknown'

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.status = details.status ?? ERROR_STATUS[code]
    this.retryable = details.retryable ?? false
    if (details.op !== undefined) this.op = details.op
    if (details.store !== undefined) this.store = details.store
    if (details.outcome !== undefined) this.outcome = details.outcome
  }
}

/** A wrong option, found when `session()` or a store is constructed. A `TypeError` with a code. */
export class OptionError extends TypeError {
  override readonly name = 'OptionError'
  readonly code = 'ERR_OPTION' as const
  readonly status = 500
  readonly expose = false
  readonly retryable = false
}

/** What was thrown, as an Error: programs throw anything. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('Something that is no Error was thrown.')
}

/** Whether `error` comes from this package, in whichever copy of it. */
export function isCoatcheckError(error: unknown): error is CoatcheckError | OptionError {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return error instanceof Error && typeof code === 'string' && Object.hasOwn(ERROR_STATUS, code)
}

/** Whether `error` comes from this package and has this code. */
export function hasCode(error: unknown, code: ErrorCode): boolean {
  return isCoatcheckError(error) && error.code === code
}
