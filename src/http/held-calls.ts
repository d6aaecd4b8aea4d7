import { types } from 'node:util'
import type { MethodName, ServerResponseLike } from './response-like.js'

/** A call that waits to be made, with its own arguments. */
export interface HeldCall {
  readonly method: MethodName
  readonly args: unknown[]
}

/** What a handler has called on a response that is held, in order. Chunks are kept, not copied. */
export class HeldCalls {
  /** Bytes given to `write`. The chunk of `end` does not count: after it, nothing more can come. */
  heldBytes = 0
  /** `end` was called. */
  isEnded = false
  /** A `write` was answered by false, and its `drain` has not come. */
  owesDrain = false
  /** Listeners for `drain` that another middleware's `on` led away from the response. */
  readonly drainListeners: (() => unknown)[] = []

  readonly #res: ServerResponseLike
  readonly #calls: HeldCall[] = []

  constructor(res: ServerResponseLike) {
    this.#res = res
  }

  get first(): HeldCall | undefined {
    return this.#calls[0]
  }

  /** Keeps a call, and answers it as a response does that is full. */
  add(method: MethodName, args: unknown[]): unknown {
    this.#calls.push({ method, args })
    if (method === 'end') this.isEnded = true
    if (method !== 'write') return method === 'flushHeaders' ? undefined : this.#res
    this.heldBytes += byteLength(args[0] as string | Uint8Array, args[1])
    this.owesDrain = true
    return false
  }

  shift(): HeldCall | undefined {
    return this.#calls.shift()
  }

  /** Forgets the calls. Their callbacks get the error, in order. */
  drop(error: unknown): void {
    this.heldBytes = 0
    for (const { method, args } of this.#calls.splice(0)) swallow(this.#res, method, args, error)
  }

  /** Tells producers that they may go on. With `always`, also if Node will or there is no use. */
  drain(always = false): void {
    const res = this.#res
    process.nextTick(() => {
      if (!always && (res.writableEnded || res.writableNeedDrain)) return
      const listeners = res.rawListeners('drain')
      res.emit('drain')
      for (const listener of this.drainListeners) {
        if (!listeners.includes(listener)) listener.call(res)
      }
    })
  }
}

function byteLength(chunk: string | Uint8Array, encoding: unknown): number {
  if (typeof chunk !== 'string') return chunk.byteLength
  return Buffer.byteLength(chunk, typeof encoding === 'string' ? (encoding as 'utf8') : 'utf8')
}

/** Whether Node would take `chunk`: text or bytes, and for `end` also nothing, or the callback. */
export function isAcceptableChunk(method: MethodName, chunk: unknown): boolean {
  if (method !== 'write' && method !== 'end') return true
  if (typeof chunk === 'string' || types.isUint8Array(chunk)) return true
  return method === 'end' && (!chunk || typeof chunk === 'function')
}

/** Answers a call like one that is done; its callback is called, with the error if there is one. */
export function swallow(
  res: ServerResponseLike,
  method: MethodName,
  args: readonly unknown[],
  error?: unknown,
): unknown {
  const callback = args.findLast((arg) => typeof arg === 'function')
  if (callback !== undefined) process.nextTick(callback as (error?: unknown) => void, error)
  if (method === 'write') return true
  return method === 'flushHeaders' ? undefined : res
}

/** The error of a call on a response whose connection is gone, with Node's code for it. */
export function destroyedError(): Error {
  return Object.assign(new Error('Cannot call write after a stream was destroyed'), {
    code: 'ERR_STREAM_DESTROYED',
  })
}
