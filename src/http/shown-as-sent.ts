import { OutgoingMessage, ServerResponse } from 'node:http'
import type { HeldCalls } from './held-calls.js'
import { type Call, isHttp2, type Listen, type ServerResponseLike } from './response-like.js'

const SEALED = ['setHeader', 'appendHeader', 'setHeaders', 'removeHeader'] as const

let sent: OutgoingMessage | undefined

/**
 * A message whose headers have left, and that goes nowhere. Node's own methods, called on it, throw
 * Node's own errors, in the words of the version that runs.
 */
function sentMessage(): Record<string, (...args: unknown[]) => unknown> {
  if (sent === undefined) {
    sent = new OutgoingMessage()
    ServerResponse.prototype.writeHead.call(sent as ServerResponse, 200)
  }
  return sent as unknown as Record<string, (...args: unknown[]) => unknown>
}

/** Throws what Node throws when `method` is called after the headers have left. */
export function refuseAsSent(res: ServerResponseLike, method: string, args: unknown[]): unknown {
  if (isHttp2(res)) {
    throw Object.assign(new Error('Response has already been initiated.'), {
      code: 'ERR_HTTP2_HEADERS_SENT',
    })
  }
  if (method === 'writeHead') {
    return ServerResponse.prototype.writeHead.call(sentMessage() as never, ...(args as [number]))
  }
  return sentMessage()[method]?.(...args)
}

/** Throws what Node throws for a chunk that is neither text nor bytes. */
export function refuseChunk(chunk: unknown): void {
  new OutgoingMessage().write(chunk)
}

/** Whether Node would take these arguments of writeHead. Nothing is changed. */
export function isWriteHeadAcceptable(res: ServerResponseLike, args: unknown[]): boolean {
  if (isHttp2(res)) return true
  // Nothing but a status, which has been looked at: what was set before, Node has checked.
  if (args.length === 1 && res.statusMessage === undefined) return true
  const probe = new OutgoingMessage() as ServerResponse
  // Node takes another path, with other rules for arrays, once a header was set.
  if (res.getHeaderNames().length > 0) probe.setHeader('x-set', '1')
  if (res.statusMessage !== undefined) probe.statusMessage = res.statusMessage
  try {
    ServerResponse.prototype.writeHead.call(probe, ...(args.map(detached) as [number]))
    return true
  } catch {
    return false
  }
}

/** From Node 22 on, a name that a list repeats has its values pushed onto the first one's array. */
function detached(given: unknown): unknown {
  if (!Array.isArray(given)) return given
  return given.map((item) => (Array.isArray(item) ? [...item] : item))
}

/** How a response looks to its handler just now. */
interface Shown {
  /** What its handler has called; undefined: it looks like what it is. */
  held: HeldCalls | undefined
  /** Its headers look sent, and not only its end done. */
  isSent: boolean
  /** Own properties that stood where ours are now. */
  readonly found: Map<string, PropertyDescriptor>
}

const shownOf = new WeakMap<object, Shown>()

/** What `name` would be without us. */
function original(res: ServerResponseLike, name: string): unknown {
  const found = shownOf.get(res)?.found.get(name)
  if (found === undefined) return Reflect.get(Object.getPrototypeOf(res), name, res)
  return found.get === undefined ? found.value : found.get.call(res)
}

type Property = readonly [name: string, descriptor: PropertyDescriptor]

/**
 * Own properties that show what `look` says while the response is held, and the original otherwise.
 *
 * They are the same for every response, and they stay: V8 then gives all responses one hidden class.
 * Properties made for each response, or taken away again, cost a class or a dictionary each, which
 * is more than the rest of the request.
 */
function shown(name: string, look: (held: HeldCalls) => unknown, isAfterEnd = false): Property {
  return [
    name,
    {
      configurable: true,
      enumerable: false,
      get(this: ServerResponseLike) {
        const now = shownOf.get(this)
        if (now?.held === undefined || !(now.isSent || isAfterEnd)) return original(this, name)
        return look(now.held)
      },
      set(this: ServerResponseLike, value: unknown) {
        if (shownOf.get(this)?.held !== undefined) return
        Object.defineProperty(this, name, { value, configurable: true, writable: true })
      },
    },
  ]
}

function sealed(method: string): Property {
  return [
    method,
    {
      configurable: true,
      enumerable: false,
      writable: true,
      value(this: ServerResponseLike, ...args: unknown[]): unknown {
        const now = shownOf.get(this)
        if (now?.held !== undefined && now.isSent) return refuseAsSent(this, method, args)
        return (original(this, method) as Call).apply(this, args)
      },
    },
  ]
}

const ENDED: readonly Property[] = [shown('writableEnded', (held) => held.isEnded, true)]
const ENDED_HTTP2: readonly Property[] = [...ENDED, shown('finished', (held) => held.isEnded, true)]
const SENT: readonly Property[] = [
  shown('writableFinished', () => false),
  shown('writableLength', (held) => held.heldBytes),
  shown('writableNeedDrain', (held) => held.owesDrain && !held.isEnded),
  shown('headersSent', () => true),
  ...SEALED.map(sealed),
]
const ALL: readonly Property[] = [...ENDED, ...SENT]
const ALL_HTTP2: readonly Property[] = [...ENDED_HTTP2, ...SENT]

/** Puts our properties on `res`; the returned function makes it look like what it is again. */
function showOn(
  res: ServerResponseLike,
  held: HeldCalls,
  isSent: boolean,
  properties: readonly Property[],
): () => void {
  const now = shownOf.get(res) ?? { held: undefined, isSent: false, found: new Map() }
  shownOf.set(res, now)
  for (const [name, descriptor] of properties) {
    if (!(name in res)) continue
    const found = Object.getOwnPropertyDescriptor(res, name)
    if (found !== undefined) {
      if (found.get !== undefined && found.get === descriptor.get) continue
      if (found.value !== undefined && found.value === descriptor.value) continue
      now.found.set(name, found)
    }
    Object.defineProperty(res, name, descriptor)
  }
  now.held = held
  now.isSent = isSent
  return () => {
    now.held = undefined
  }
}

/**
 * Makes the `end` of a response look done, and returns what takes that back.
 *
 * `finished` is left alone on HTTP/1: `server.closeIdleConnections()`, which `server.close()` calls,
 * cuts every connection whose response reads finished, and a deploy would cut held responses.
 */
export function showAsEnded(res: ServerResponseLike, held: HeldCalls): () => void {
  return showOn(res, held, false, isHttp2(res) ? ENDED_HTTP2 : ENDED)
}

/**
 * Makes `res` look to its handler like a response whose headers have left, and returns what takes
 * that back. `on` is what `res` had when it was found: if another middleware had put its own there
 * (compression leads `drain` to its stream), listeners would not hear the `drain` we owe them.
 */
export function showAsSent(res: ServerResponseLike, held: HeldCalls, on: Listen): () => void {
  const unshow = showOn(res, held, true, isHttp2(res) ? ALL_HTTP2 : ALL)
  if ((Object.getPrototypeOf(res) as ServerResponseLike).on === on) return unshow
  const before = Object.getOwnPropertyDescriptor(res, 'on')
  const listen = res.on
  const value = (event: string, listener: () => unknown): unknown => {
    if (event === 'drain') held.drainListeners.push(listener)
    return listen.call(res, event, listener)
  }
  Object.defineProperty(res, 'on', { value, writable: true, configurable: true })
  return () => {
    unshow()
    if (before === undefined) Reflect.deleteProperty(res, 'on')
    else Object.defineProperty(res, 'on', before)
  }
}

/**
 * Shows the status that a held `writeHead` brings; no arguments: another call is held. Gives what
 * puts back the one before it, for the replay, and that in turn what ends the replay: as in plain
 * Node, an assignment after the headers is read back, and changes nothing.
 */
export function showStatus(
  res: ServerResponseLike,
  [code, message]: readonly unknown[],
): () => () => void {
  const began = { code: res.statusCode, message: isHttp2(res) ? undefined : res.statusMessage }
  if (code !== undefined) res.statusCode = (code as number) | 0
  if (!isHttp2(res) && typeof message === 'string') res.statusMessage = message
  const shown = res.statusCode
  return () => {
    const late = res.statusCode
    res.statusCode = began.code
    if (!isHttp2(res)) res.statusMessage = began.message
    return () => {
      if (late !== shown) res.statusCode = late
    }
  }
}
