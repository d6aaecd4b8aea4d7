/** Any method of a response, whatever it takes. */
export type Method = (...args: never[]) => unknown

/**
 * The smallest response that can be worked on. Handshake shims bring no more than `end`; engine.io's
 * upgrade response has `setHeader`, `getHeader`, `removeHeader`, `write`, `writeHead` and `end`.
 */
export interface ResponseLike {
  writeHead?: Method
  write?: Method
  end?: Method
  flushHeaders?: Method
  setHeader?: Method
  getHeader?: Method
  getRawHeaderNames?: Method
  readonly headersSent?: boolean
  statusCode?: number
}

/** A method as it is called here: with the response as `this`, arguments handed on untouched. */
export type Call = (this: unknown, ...args: unknown[]) => unknown

/** The methods that begin, continue and end a response. */
export interface Methods {
  writeHead: Call
  write: Call
  end: Call
  flushHeaders: Call
}

export type MethodName = keyof Methods

/** `on` of an event emitter. */
export type Listen = (this: unknown, event: string, listener: (first: unknown) => void) => unknown

/** What can be piped into a response. */
export interface PipeSource {
  unpipe?(destination: unknown): unknown
}

/** What is used of `ServerResponse` and `Http2ServerResponse`; public Node API only. */
export interface ServerResponseLike extends Methods {
  on: Listen
  statusCode: number
  statusMessage?: string | undefined
  readonly headersSent: boolean
  readonly destroyed?: boolean
  readonly writableEnded?: boolean
  readonly writableNeedDrain?: boolean
  readonly req?: { method?: string | undefined }
  readonly socket?: { destroyed?: boolean } | null
  /** HTTP/2 only. */
  readonly stream?: {
    destroyed?: boolean
    closed?: boolean
    respond?: unknown
    on?: Listen
    sendTrailers?(trailers: object): void
  }
  setHeader(name: string, value: unknown): unknown
  getHeader(name: string): unknown
  removeHeader(name: string): void
  addTrailers?(trailers: object): void
  getHeaderNames(): string[]
  getRawHeaderNames?(): string[]
  destroy(): unknown
  emit(event: string, ...args: unknown[]): boolean
  rawListeners(event: string): unknown[]
}

/** Whether `res` is the response of one stream of an HTTP/2 session. */
export function isHttp2(res: ServerResponseLike): boolean {
  return typeof res.stream?.respond === 'function'
}

/** Whether nobody is left to receive this response. */
export function isGone(res: ServerResponseLike): boolean {
  const { stream } = res
  if (isHttp2(res)) return stream?.destroyed === true || stream?.closed === true
  return res.destroyed === true || res.socket?.destroyed === true
}

/** Whether a store can be waited for before it leaves. Handshake shims bring less than this. */
export function isResponse(res: ResponseLike): boolean {
  return 'headersSent' in res
}

/** What express-ws runs through the app for a WebSocket: no socket carries it, and it has no end. */
export function isForUpgrade(
  { headers }: { readonly headers: object },
  res: ResponseLike,
): boolean {
  return 'upgrade' in headers && (res as { socket?: unknown }).socket === null
}
