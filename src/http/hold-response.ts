import { keepResponseCheap } from './dictionary.js'
import { dropResponse } from './dropped-response.js'
import { editHeaders, type HeaderEdit } from './header-view.js'
import {
  destroyedError,
  type HeldCall,
  HeldCalls,
  isAcceptableChunk,
  swallow,
} from './held-calls.js'
import type { Holder, HoldSettings, HoldState, ResponseHold } from './holder.js'
import { holdMinimal } from './minimal-response.js'
import { PipedSources } from './piped-sources.js'
import {
  isGone,
  type Listen,
  type MethodName,
  type Methods,
  type ResponseLike,
  type ServerResponseLike,
} from './response-like.js'
import {
  isWriteHeadAcceptable,
  refuseAsSent,
  refuseChunk,
  showAsEnded,
  showAsSent,
  showStatus,
} from './shown-as-sent.js'

/**
 * Holds `res` back from its first byte on, until `holder.begin()` has answered. With an answer at
 * once nothing is held, and every call goes straight on.
 *
 * A response whose begin failed is dropped: `res` gets back the methods found on it here, and the
 * error goes to `next`, or is answered bare where nobody would take it. Callbacks of dropped calls
 * are called with the error, so that nothing waits for them for ever.
 *
 * 1xx responses pass. So do headers sent by the undocumented `writeHeader`: the response then counts
 * as begun without a begin, and `finish` is called at its end.
 */
export function holdResponse(
  res: ResponseLike,
  holder: Holder,
  next: (error?: unknown) => void,
  settings: HoldSettings,
): ResponseHold {
  if (!('headersSent' in res)) return holdMinimal(res, holder)
  return new Hold(res as unknown as ServerResponseLike, holder, next, settings)
}

/** 16 MiB: 256 times the default of `maxHeldBytes`, and as much as one client may cost here. */
const MAX_PILED_BYTES = 16 * 1024 * 1024

class Hold implements ResponseHold {
  state: HoldState = 'open'

  readonly #res: ServerResponseLike
  readonly #holder: Holder
  readonly #next: (error?: unknown) => void
  readonly #settings: HoldSettings
  /** The methods as they were found, and ours in front of them. */
  readonly #found: Methods
  readonly #own: Methods
  readonly #on: Listen
  readonly #sources: PipedSources

  #hasBegun = false
  #answer: Promise<HeaderEdit | undefined> | undefined
  /** Still to be made, by the writeHead that comes. */
  #edit: HeaderEdit | undefined
  #held: HeldCalls | undefined
  #unshow: (() => void) | undefined
  #isWatching = false
  #isReported = false
  #isFinishing = false
  #isOver = false
  #onDroppedEnd: (() => void) | undefined

  constructor(
    res: ServerResponseLike,
    holder: Holder,
    next: (error?: unknown) => void,
    settings: HoldSettings,
  ) {
    this.#res = res
    this.#holder = holder
    this.#next = next
    this.#settings = settings
    this.#on = res.on
    const found: Methods = {
      writeHead: res.writeHead,
      write: res.write,
      end: res.end,
      flushHeaders: res.flushHeaders,
    }
    const own: Methods = {
      writeHead: (...args) => this.#call('writeHead', args),
      write: (...args) => this.#call('write', args),
      end: (...args) => this.#call('end', args),
      flushHeaders: (...args) => this.#call('flushHeaders', args),
    }
    this.#found = found
    this.#own = own
    keepResponseCheap(res)
    if (typeof found.writeHead === 'function') res.writeHead = own.writeHead
    if (typeof found.write === 'function') res.write = own.write
    if (typeof found.end === 'function') res.end = own.end
    if (typeof found.flushHeaders === 'function') res.flushHeaders = own.flushHeaders
    this.#sources = new PipedSources(res, res.on)
  }

  #call(method: MethodName, args: unknown[]): unknown {
    switch (this.state) {
      case 'open':
        return this.#first(method, args)
      case 'holding':
        return this.#keep(method, args)
      case 'failed':
        if (method === 'end') this.#onDroppedEnd?.()
        return swallow(this.#res, method, args)
      default:
        if (this.#isFinishing) return this.#keep(method, args)
        if (method === 'end' && this.state === 'sent') return this.#last(args)
        return this.#pass(method, args)
    }
  }

  #first(method: MethodName, args: unknown[]): unknown {
    const res = this.#res
    if (res.headersSent) {
      this.#leave()
      return method === 'end' ? this.#last(args) : this.#pass(method, args)
    }
    if (!this.#isAcceptable(method, args)) return this.#found[method].apply(res, args)
    if (!this.#hasBegun) {
      this.#hasBegun = true
      let answer: ReturnType<Holder['begin']>
      try {
        answer = this.#holder.begin(this.#statusOf(method, args))
      } catch (error) {
        answer = Promise.reject(error)
      }
      if (answer === undefined || typeof answer === 'function') this.#edit = answer
      else this.#answer = answer
    }
    return this.#answer === undefined
      ? this.#release(method, args)
      : this.#hold(method, args, this.#answer)
  }

  /** What Node is going to throw at must reach it at once, and begins nothing. */
  #isAcceptable(method: MethodName, args: unknown[]): boolean {
    const status = this.#statusOf(method, args)
    return status >= 100 && status <= 999 && isAcceptableChunk(method, args[0])
  }

  #statusOf(method: MethodName, args: unknown[]): number {
    return (method === 'writeHead' ? (args[0] as number) : this.#res.statusCode) | 0
  }

  // Nothing to wait for

  /** Hands the call that begins the response to Node. */
  #release(method: MethodName, args: unknown[]): unknown {
    const res = this.#res
    // Node's own write, end and flushHeaders look writeHead up on `res`. If another writeHead was put
    // in front of ours, it is still to set headers: the edit waits for it, and is made in ours.
    const edit = this.#edit
    if (edit !== undefined && method !== 'writeHead' && res.writeHead === this.#own.writeHead) {
      this.#edit = undefined
      editHeaders(res, edit)
    }
    if (method === 'end') return this.#endNow(args)
    this.#leave()
    return this.#pass(method, args)
  }

  #pass(method: MethodName, args: unknown[]): unknown {
    const res = this.#res
    const edit = this.#edit
    try {
      if (edit === undefined || method !== 'writeHead' || res.headersSent) {
        return this.#found[method].apply(res, args)
      }
      const result = this.#found.writeHead.apply(res, editHeaders(res, edit, args))
      this.#edit = undefined
      return result
    } catch (error) {
      // Node refused, so the response that follows (an error page) is the one that begins.
      if (!res.headersSent && !this.#isOver) this.state = 'open'
      throw error
    }
  }

  #endNow(args: unknown[]): unknown {
    const res = this.#res
    // Listeners in front of ours (on-headers) run inside Node's end, and may still set data.
    const runsOthers = res.writeHead !== this.#own.writeHead && !res.headersSent
    this.state = 'ended'
    let result: unknown
    try {
      result = this.#found.end.apply(res, args)
    } catch (error) {
      this.state = res.headersSent ? 'sent' : 'open'
      throw error
    }
    const finished = runsOthers ? this.#finish() : undefined
    if (finished === undefined) this.#over()
    else finished.then(() => this.#over())
    return result
  }

  /** An `end` after the headers. */
  #last(args: unknown[]): unknown {
    const res = this.#res
    const finished = this.#finish()
    if (finished === undefined) return this.#endNow(args)
    this.#isFinishing = true
    const held = new HeldCalls(res)
    this.#held = held
    held.add('end', args)
    this.#unshow = showAsEnded(res, held)
    finished.then(() => {
      this.#isFinishing = false
      this.#unshow?.()
      this.#replay(held, (end) => this.#endNow(end.args))
    })
    return res
  }

  /** Settles, and never rejects. */
  #finish(): Promise<void> | undefined {
    const failed = (error: unknown) => this.#holder.report({ type: 'late-error', error })
    try {
      return this.#holder.finish()?.then(undefined, failed)
    } catch (error) {
      failed(error)
      return undefined
    }
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#holder.ended()
  }

  /** The headers leave, the end is not in sight. */
  #leave(): void {
    this.state = 'sent'
    this.#holder.left?.()
    this.#watch()
  }

  /** From here on the client may leave before the end. A response of one `end` needs no watch. */
  #watch(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    const onClose = () => {
      if (this.state === 'holding') this.#held?.drop(destroyedError())
      if (this.state !== 'sent' || this.#isFinishing) return
      this.state = 'ended'
      const finished = this.#finish()
      if (finished === undefined) this.#over()
      else finished.then(() => this.#over())
    }
    // On HTTP/2 the response itself says nothing when a HEAD is closed before its `end`.
    const { stream } = this.#res
    if (typeof stream?.on === 'function') stream.on('close', onClose)
    else this.#on?.call(this.#res, 'close', onClose)
  }

  // Holding

  #hold(method: MethodName, args: unknown[], answer: Promise<HeaderEdit | undefined>): unknown {
    const res = this.#res
    if (!isWriteHeadAcceptable(res, method === 'writeHead' ? args : [res.statusCode])) {
      // Node throws at the handler. What that answers instead is held for the same begin.
      answer.then(undefined, () => {})
      return this.#found[method].apply(res, args)
    }
    this.state = 'holding'
    this.#watch()
    const held = new HeldCalls(res)
    this.#held = held
    const hideStatus = showStatus(res, method === 'writeHead' ? args : [])
    answer.then(
      (edit) => {
        this.#answer = undefined
        this.#edit = edit
        this.#unshow?.()
        const keepLate = hideStatus()
        this.#replay(held, (first) => this.#release(first.method, first.args))
        keepLate()
      },
      (error) => {
        this.#unshow?.()
        this.#failed(error)
      },
    )
    this.#unshow = showAsSent(res, held, this.#on)
    return method === 'writeHead' ? held.add(method, args) : this.#keep(method, args)
  }

  #keep(method: MethodName, args: unknown[]): unknown {
    const res = this.#res
    const held = this.#held
    if (method === 'writeHead') return refuseAsSent(res, method, args)
    // A second end is looked at no closer: it is an error to its callback, whatever it brings.
    const isSecondEnd = method === 'end' && held?.isEnded
    if (!isSecondEnd && !isAcceptableChunk(method, args[0])) return refuseChunk(args[0])
    if (held === undefined || isGone(res)) {
      const result = swallow(res, method, args, destroyedError())
      return method === 'write' ? false : result
    }
    const ignoresFalse = held.owesDrain
    const result = held.add(method, args)
    // One chunk, of any size, is no more than the handler had in memory by itself.
    if (method === 'write' && ignoresFalse) this.#checkPile(held)
    return result
  }

  #checkPile(held: HeldCalls): void {
    const bytes = held.heldBytes
    if (bytes > MAX_PILED_BYTES) {
      this.#holder.report({ type: 'overflow', bytes })
      held.drop(destroyedError())
      this.#res.destroy()
    } else if (bytes > this.#settings.maxHeldBytes && !this.#isReported) {
      this.#isReported = true
      this.#holder.report({ type: 'held-bytes', bytes })
    }
  }

  /** Makes the held calls, the first of them by `begin`. */
  #replay(held: HeldCalls, begin: (first: HeldCall) => unknown): void {
    if (isGone(this.#res)) held.drop(destroyedError())
    const first = held.shift()
    if (first === undefined) {
      this.state = 'ended'
      this.#over()
      return
    }
    let isFull = false
    try {
      isFull = begin(first) === false
      for (let call = held.shift(); call !== undefined; call = held.shift()) {
        if (this.#isFinishing) this.#keep(call.method, call.args)
        else if (this.#call(call.method, call.args) === false) isFull = true
      }
    } catch (error) {
      this.#refused(held, error)
      return
    }
    if (held.owesDrain && !held.isEnded && !isFull) held.drain()
  }

  // Failure

  /** Node threw at a held call. */
  #refused(held: HeldCalls, error: unknown): void {
    const res = this.#res
    if (!res.headersSent && !this.#isOver) {
      const edit = this.#edit
      if (edit !== undefined) editHeaders(res, edit)
      this.#failed(error)
      return
    }
    res.destroy()
    held.drop(error)
    this.state = 'ended'
    this.#holder.report({ type: 'failed', error, answer: 'destroyed' })
    this.#over()
  }

  #failed(error: unknown): void {
    this.state = 'failed'
    this.#onDroppedEnd = dropResponse({
      res: this.#res,
      held: this.#held ?? new HeldCalls(this.#res),
      sources: this.#sources.all,
      found: this.#found,
      own: this.#own,
      on: this.#on,
      next: this.#next,
      settings: this.#settings,
      error,
      answered: (answer) => {
        this.#holder.report({ type: 'failed', error, answer })
        this.#over()
      },
    })
  }
}
