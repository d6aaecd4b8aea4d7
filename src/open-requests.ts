import type { Clock } from './core/clock.js'
import { waitAtMost } from './core/time-limit.js'

/** What of a response tells that its client is gone. */
export interface Closing {
  readonly destroyed?: boolean
  on?: (event: 'close', listener: () => void) => unknown
  /** On HTTP/2. There a response says nothing when a HEAD is closed before its end. */
  readonly stream?: Pick<Closing, 'destroyed' | 'on'>
}

/** What tells by which connection a request came. */
export interface Connected {
  readonly socket?: unknown
}

interface Socket {
  readonly destroyed?: boolean
  once?(event: 'close', listener: () => void): unknown
}

/**
 * To be called when the headers of a request's response have left and more is to come, and with
 * `'ended'` when it has ended. What comes after the end changes nothing.
 */
export type Leave = (how?: 'ended') => void

/**
 * The requests that have come in and are not done. A handler may take as long as its client waits;
 * after the headers have left, or the client has, a request counts for `patience` ms more: a stream
 * that stays open for hours has stored its session long ago.
 */
export class OpenRequests {
  readonly #clock: Clock
  readonly #patience: number
  readonly #unanswered = new Map<Leave, Connected>()
  #onAnswered = () => {}
  /** Begun or abandoned, with the moment until which each counts, earliest first. */
  readonly #begun = new Map<Leave, number>()
  #onEnded = () => {}

  constructor(clock: Clock, patience: number) {
    this.#clock = clock
    this.#patience = patience
  }

  enter(res: Closing, req: Connected): Leave {
    let isUnanswered = true
    const leave: Leave = (how) => {
      if (isUnanswered) {
        isUnanswered = false
        if (how !== 'ended') this.#addBegun(leave)
        this.#unanswered.delete(leave)
        if (this.#unanswered.size === 0) this.#onAnswered()
      } else if (how === 'ended' && this.#begun.delete(leave) && this.#begun.size === 0) {
        this.#onEnded()
      }
    }
    this.#unanswered.set(leave, req)
    const source = typeof res.stream?.on === 'function' ? res.stream : res
    // Without arguments, so never as 'ended': the handler may still be at work.
    if (source.destroyed === true) leave()
    else source.on?.('close', leave)
    return leave
  }

  /** Waits until no request counts any more. No other one may come in meanwhile. */
  async allDone(): Promise<void> {
    this.#watchSockets()
    if (this.#unanswered.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onAnswered = resolve
      })
    }
    this.#forgetOld()
    const latest = [...this.#begun.values()].at(-1)
    if (latest === undefined) return
    const ended = new Promise<void>((resolve) => {
      this.#onEnded = resolve
    })
    await waitAtMost(this.#clock, latest - this.#clock.now(), ended)
  }

  /**
   * In a pipeline all but the first response have no socket, and say nothing when it closes; nor
   * does one that was detached. One listener per socket: an HTTP/2 session carries many requests.
   */
  #watchSockets(): void {
    const bySocket = new Map<Socket, Leave[]>()
    for (const [leave, { socket }] of this.#unanswered) {
      if (!isSocket(socket)) continue
      const others = bySocket.get(socket)
      if (others === undefined) bySocket.set(socket, [leave])
      else others.push(leave)
    }
    for (const [socket, leaves] of bySocket) {
      const leaveAll = () => {
        for (const leave of leaves) leave()
      }
      if (socket.destroyed === true) leaveAll()
      else socket.once?.('close', leaveAll)
    }
  }

  #addBegun(leave: Leave): void {
    // Nobody may ever end them: a handler whose client has gone, a stream that was torn off.
    this.#forgetOld()
    this.#begun.set(leave, this.#clock.now() + this.#patience)
  }

  #forgetOld(): void {
    const now = this.#clock.now()
    for (const [leave, until] of this.#begun) {
      if (until > now) break
      this.#begun.delete(leave)
    }
  }
}

function isSocket(socket: unknown): socket is Socket {
  return typeof socket === 'object' && socket !== null
}
