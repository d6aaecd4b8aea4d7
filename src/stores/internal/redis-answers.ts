/** Whether `value` can do something of this name. */
export function hasMethod(value: unknown, name: string): boolean {
  return typeof (value as Record<string, unknown> | null | undefined)?.[name] === 'function'
}

/** A string as a driver gives it: those can be told to give Buffers. undefined: there is none. */
export function textIn(answer: unknown): string | undefined {
  if (answer === null || answer === undefined) return undefined
  if (answer instanceof Uint8Array) return Buffer.from(answer).toString()
  return String(answer)
}

/** A list. Anything else is no answer to what was asked, and no sign that nothing is there. */
export function listIn(answer: unknown): readonly unknown[] {
  if (!Array.isArray(answer)) throw outOfPlace()
  return answer
}

/** A whole number. Drivers can be told to give it as a text, and Glide makes `true` of some. */
export function numberIn(answer: unknown): number {
  const number = Number(answer === true || answer === false ? answer : textIn(answer))
  if (!Number.isSafeInteger(number)) throw outOfPlace()
  return number
}

/** Whether SET has set. */
export function wasSet(answer: unknown): boolean {
  const text = textIn(answer)
  if (text !== undefined && text !== 'OK') throw outOfPlace()
  return text === 'OK'
}

/** As `QUEUED`, when the program has begun a transaction on the connection that it shares with us. */
function outOfPlace(): Error {
  return new Error('The client answered something else than was asked. Is it in a transaction?')
}

/** Of @valkey/valkey-glide, which renames some of what servers say. */
const RENAMED: Readonly<Record<string, string>> = {
  NoScriptError: 'NOSCRIPT',
  ReadOnly: 'READONLY',
  BusyLoadingError: 'LOADING',
  ClusterDown: 'CLUSTERDOWN',
  MasterDown: 'MASTERDOWN',
  TryAgain: 'TRYAGAIN',
  PermissionDenied: 'NOPERM',
  ResponseError: 'ERR',
}

/** The word with which a server begins its answer when it refuses; undefined: it did not answer. */
export function refusalIn(error: unknown): string | undefined {
  const message = (error as { message?: unknown } | null | undefined)?.message
  if (typeof message !== 'string') return undefined
  const quoted = /signalled by the server: - (\w+)/.exec(message)?.[1]
  if (quoted !== undefined) return RENAMED[quoted] ?? quoted
  // Before Redis 7, for what a command of a script has met: its word stands behind the line.
  const within = /@user_script: ?\d+: -?([A-Z]{2,}) /.exec(message)?.[1]
  return within ?? /^([A-Z]{2,})(?=[ :])/.exec(message)?.[1]
}
