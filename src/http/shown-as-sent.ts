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

type Show = (name: string, descriptor: PropertyDescriptor) => void

/** Puts own properties on `res` until the returned function takes them away. */
function showOn(res: ServerResponseLike, put: (show: Show) => void): () => void {
  const found: [name: string, descriptor: PropertyDescriptor | undefined][] = []
  put((name, descriptor) => {
    found.push([name, Object.getOwnPropertyDescriptor(res, name)])
    Object.defineProperty(res, name, { ...descriptor, configurable: true, enumerable: false })
  })
  return () => {
    for (const [name, descriptor] of found) {
      if (descriptor === undefined) Reflect.deleteProperty(res, name)
      else Object.defineProperty(res, name, descriptor)
    }
  }
}

/**
 * Makes the `end` of a response look done, and returns what takes that back.
 *
 * `finished` is left alone on HTTP/1: `server.closeIdleConnections()`, which `server.close()` calls,
 * cuts every connection whose response reads finished, and a deploy would cut held responses.
 */
export function showAsEnded(res: ServerResponseLike, held: HeldCalls): () => void {
  return showOn(res, (show) => showEnd(res, held, show))
}

function showEnd(res: ServerResponseLike, held: HeldCalls, show: Show): void {
  const ended = { get: () => held.isEnded, set() {} }
  show('writableEnded', ended)
  if (isHttp2(res)) show('finished', ended)
}

/**
 * Makes `res` look to its handler like a response whose headers have left, and returns what takes
 * that back. `on` is what `res` had when it was found: if another middleware had put its own there
 * (compression leads `drain` to its stream), listeners would not hear the `drain` we owe them.
 */
export function showAsSent(res: ServerResponseLike, held: HeldCalls, on: Listen): () => void {
  return showOn(res, (show) => {
    showEnd(res, held, show)
    show('writableFinished', { get: () => false })
    show('writableLength', { get: () => held.heldBytes })
    if ('writableNeedDrain' in res) {
      show('writableNeedDrain', { get: () => held.owesDrain && !held.isEnded })
    }
    show('headersSent', { get: () => true })
    for (const method of SEALED) {
      if (!(method in res)) continue
      show(method, {
        value: (...args: unknown[]) => refuseAsSent(res, method, args),
        writable: true,
      })
    }
    if ((Object.getPrototypeOf(res) as ServerResponseLike).on === on) return
    const listen = res.on
    show('on', {
      value(event: string, listener: () => unknown): unknown {
        if (event === 'drain') held.drainListeners.push(listener)
        return listen.call(res, event, listener)
      },
      writable: true,
    })
  })
}
