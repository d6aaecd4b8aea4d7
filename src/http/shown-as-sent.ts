import { OutgoingMessage, ServerResponse } from 'node:http'
import type { HeldCalls } from './held-calls.js'
import { isHttp2, type Listen, type ServerResponseLike } from './response-like.js'

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
    ServerResponse.prototype.writeHead.call(probe, ...(args as [number]))
    return true
  } catch {
    return false
  }
}

/** What the handlers of responses being held have called so far. */
const heldOf = new WeakMap<object, HeldCalls>()

function heldBy(res: object): HeldCalls {
  return heldOf.get(res)!
}

type Property = readonly [name: string, descriptor: PropertyDescriptor]

function shown(name: string, descriptor: PropertyDescriptor): Property {
  return [name, { ...descriptor, configurable: true, enumerable: false }]
}

// The same descriptors for every response: V8 then gives them all one hidden class, where functions
// made for each response cost a class each, and more than the rest of the request.
const ended = {
  get(this: object) {
    return heldBy(this).isEnded
  },
  set() {},
}
const ENDED: readonly Property[] = [shown('writableEnded', ended)]
const ENDED_HTTP2: readonly Property[] = [...ENDED, shown('finished', ended)]
const SENT: readonly Property[] = [
  shown('writableFinished', { get: () => false }),
  shown('writableLength', {
    get(this: object) {
      return heldBy(this).heldBytes
    },
  }),
  shown('writableNeedDrain', {
    get(this: object) {
      const held = heldBy(this)
      return held.owesDrain && !held.isEnded
    },
  }),
  shown('headersSent', { get: () => true }),
  ...SEALED.map((method) =>
    shown(method, {
      value(this: ServerResponseLike, ...args: unknown[]): unknown {
        return refuseAsSent(this, method, args)
      },
      writable: true,
    }),
  ),
]

/** Puts own properties on `res` until the returned function takes them away. */
function showOn(
  res: ServerResponseLike,
  held: HeldCalls,
  properties: readonly Property[],
): () => void {
  const before = heldOf.get(res)
  const found: [name: string, descriptor: PropertyDescriptor | undefined][] = []
  heldOf.set(res, held)
  for (const [name, descriptor] of properties) {
    if (!(name in res)) continue
    found.push([name, Object.getOwnPropertyDescriptor(res, name)])
    Object.defineProperty(res, name, descriptor)
  }
  return () => {
    // The last one first: V8 then goes back to the hidden class that was, instead of a dictionary.
    for (const [name, descriptor] of found.reverse()) {
      if (descriptor === undefined) Reflect.deleteProperty(res, name)
      else Object.defineProperty(res, name, descriptor)
    }
    if (before === undefined) heldOf.delete(res)
    else heldOf.set(res, before)
  }
}

/**
 * Makes the `end` of a response look done, and returns what takes that back.
 *
 * `finished` is left alone on HTTP/1: `server.closeIdleConnections()`, which `server.close()` calls,
 * cuts every connection whose response reads finished, and a deploy would cut held responses.
 */
export function showAsEnded(res: ServerResponseLike, held: HeldCalls): () => void {
  return showOn(res, held, isHttp2(res) ? ENDED_HTTP2 : ENDED)
}

/**
 * Makes `res` look to its handler like a response whose headers have left, and returns what takes
 * that back. `on` is what `res` had when it was found: if another middleware had put its own there
 * (compression leads `drain` to its stream), listeners would not hear the `drain` we owe them.
 */
export function showAsSent(res: ServerResponseLike, held: HeldCalls, on: Listen): () => void {
  const properties = [...(isHttp2(res) ? ENDED_HTTP2 : ENDED), ...SENT]
  if ((Object.getPrototypeOf(res) as ServerResponseLike).on !== on) {
    const listen = res.on
    const value = (event: string, listener: () => unknown): unknown => {
      if (event === 'drain') held.drainListeners.push(listener)
      return listen.call(res, event, listener)
    }
    properties.push(shown('on', { value, writable: true }))
  }
  return showOn(res, held, properties)
}
