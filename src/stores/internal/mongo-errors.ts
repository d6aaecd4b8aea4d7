import { CoatcheckError, type ErrorCode } from '../../errors.js'

const DUPLICATE = 11000

/** `BSONObjectTooLarge`, and what old servers say of an update and of its result. */
const TOO_LARGE = new Set([10334, 17419, 17420])

/** `DocumentValidationFailure` */
const INVALID = 121

/** `Unauthorized`, `AuthenticationFailed` */
const NO_RIGHT = new Set([13, 18])

/** What a member of a replica set answers that is not, or no more, the one that takes writes. */
const NOT_PRIMARY = new Set([10107, 13435, 13436, 189])

/**
 * What may work a moment later, with the above: `HostUnreachable`, `HostNotFound`, `NetworkTimeout`,
 * `MaxTimeMSExpired`, `ShutdownInProgress`, `WriteConflict`, `ExceededTimeLimit`, `InterruptedAtShutdown`,
 * `InterruptedDueToReplStateChange`, `SocketException`.
 */
const PASSING = new Set([6, 7, 89, 50, 91, 112, 262, 11600, 11602, 9001])

/**
 * Of these nobody knows whether the operation was done before; or it was done, and what is missing is
 * a member that has it too (64, 79, 100).
 */
const INTERRUPTED = new Set([50, 64, 79, 91, 100, 262, 11600, 11602])

/** Nothing was sent: no server was found, or the client is closed. */
const UNSENT =
  /^Mongo(?:ServerSelection|TopologyClosed|NotConnected|ClientClosed|PoolClosed|WaitQueueTimeout|Parse|InvalidArgument|MissingDependency|Auth)|^BSON/

const CLOSED = /^Mongo(?:TopologyClosed|NotConnected|ClientClosed|PoolClosed)/

/** Errors of a driver that speak of its connections, and not of what it was given. */
const ABOUT_CONNECTIONS =
  /^Mongo(?:Network|ServerSelection|Topology|NotConnected|Client|Pool|WaitQueue|Expired|Operation|ose)/

export function isDuplicate(error: unknown): boolean {
  return codeOf(error) === DUPLICATE
}

/** Whether a server that can be reached says no, and will say so again. */
export function isRefusal(error: unknown): boolean {
  const code = codeOf(error)
  return code !== undefined && !isPassing(code)
}

/** The coded error of an operation, with what to do about it. */
export function mongoError(op: string, given: unknown): CoatcheckError {
  if (given instanceof CoatcheckError) return given
  const thrown = withoutWrapper(given)
  const [code, name] = [codeOf(thrown), nameOf(thrown)]
  const [errorCode, advice] = meaning(code, name)
  const isKnown = code === undefined ? UNSENT.test(name) : !INTERRUPTED.has(code)
  const why = code === undefined ? name : nameOfCode(thrown, code)
  return new CoatcheckError(errorCode, `MongoStore: ${op} failed (${why})${advice}`, {
    op,
    store: 'MongoStore',
    retryable: code === undefined ? !/^BSON|^MongoInvalid/.test(name) : isPassing(code),
    // A write concern that is not met leaves the write done on some servers.
    outcome: isKnown && name !== 'MongoWriteConcernError' ? 'failed' : 'unknown',
    cause: withoutData(thrown),
  })
}

function meaning(code: number | undefined, name: string): [ErrorCode, string] {
  if (code === undefined) {
    const hint = ': the client is closed, or was never connected.'
    return ['ERR_STORE', CLOSED.test(name) ? hint : '']
  }
  if (TOO_LARGE.has(code)) return ['ERR_RECORD_TOO_LARGE', ': a document holds 16 MB at most.']
  if (NO_RIGHT.has(code)) return ['ERR_STORE', ': the user of the connection may not do so.']
  if (NOT_PRIMARY.has(code)) {
    return ['ERR_STORE', ': this server takes no writes. Connect with the replicaSet option.']
  }
  if (code === INVALID) {
    return [
      'ERR_STORE',
      ": the collection's validator refuses the document; it has to allow session, expires and user.",
    ]
  }
  return ['ERR_STORE', '']
}

function isPassing(code: number): boolean {
  return PASSING.has(code) || NOT_PRIMARY.has(code)
}

/** A bulk write gives each error a name of its own, also those of the connection. */
function withoutWrapper(thrown: unknown): unknown {
  if (nameOf(thrown) !== 'MongoBulkWriteError') return thrown
  const { errorResponse } = thrown as { errorResponse?: unknown }
  return errorResponse instanceof Error ? errorResponse : thrown
}

/** Servers answer with numbers; errors of the driver and the system have texts, or none. */
function codeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'number' ? code : undefined
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'no Error'
}

function nameOfCode(error: unknown, code: number): string {
  const { codeName } = error as { codeName?: unknown }
  return typeof codeName === 'string' && codeName !== '' ? `${code} ${codeName}` : String(code)
}

/**
 * The driver's error, for logs. A server quotes what it refuses, the key of a duplicate or the whole
 * command, in the message and in what comes with it; BSON errors name a key of the data.
 */
function withoutData(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return undefined
  const { name, message, stack } = thrown
  const code = codeOf(thrown)
  const isHarmless = code === undefined && ABOUT_CONNECTIONS.test(name)
  const told = code === undefined ? name : nameOfCode(thrown, code)
  const copy = new Error(isHarmless ? message : told)
  copy.name = name
  const frames = stack?.slice(Math.max(stack.search(/\n {4}at /), 0)) ?? ''
  copy.stack = `${name}: ${copy.message}${frames.startsWith('\n') ? frames : ''}`
  if (code !== undefined) Object.defineProperty(copy, 'code', { value: code, enumerable: true })
  return copy
}
