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

/** A list, which is empty for what is none. */
export function listIn(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : []
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
  return /^([A-Z]{2,})(?=[ :])/.exec(message)?.[1]
}
