import type { HeaderEdit } from './header-view.js'

/** What a response is held for. One object a response; its methods are called on it. */
export interface Holder {
  /**
   * Called once, at the first writeHead, write, end or flushHeaders. Nothing: go on at once. A
   * function: edit the headers by it and go on at once. A promise: hold everything until it answers.
   * A throw or a rejection: the response is dropped, and the error answered in its place.
   * @param status the status the response is about to have
   */
  begin(status: number): HeaderEdit | undefined | Promise<HeaderEdit | undefined>
  /**
   * Called in place of `begin` on a response too small to be held (engine.io's upgrade response, a
   * handshake shim), where only an answer at once is of use.
   */
  beginNow?(): HeaderEdit | undefined
  /**
   * Called once at an `end` that is not the first call, so that the headers had left (or were held)
   * before it; or when the connection dies after the headers. A promise delays the end. A failure is
   * reported as `late-error`, and the response ends all the same.
   */
  finish(): undefined | Promise<void>
  /** Called once when the headers leave without the end: a stream, which may stay open for hours. */
  left?(): void
  /**
   * Called once when the response has ended and its last bytes were handed to Node, when its
   * connection died after it had begun, or when a failed begin is about to be answered.
   */
  ended(): void
  report(report: HoldReport): void
}

/** What happened to a response that its holder may want to tell. */
export type HoldReport =
  /** Once: more than `maxHeldBytes` wait, and the producer goes on although `write` says false. */
  | { type: 'held-bytes'; bytes: number }
  /** That producer reached 16 MiB, and its connection was destroyed. */
  | { type: 'overflow'; bytes: number }
  /** How a failed begin was answered; `destroyed`: nobody was left to answer to. */
  | { type: 'failed'; error: unknown; answer: 'next' | 'bare' | 'destroyed' }
  /** `finish` failed, when the client already had the headers. */
  | { type: 'late-error'; error: unknown }

export interface HoldSettings {
  /** Bytes a producer may pile up against `false` before it is reported. */
  maxHeldBytes: number
  /** In ms: how long the taker of an error has to begin a response, before a bare 500 is sent. */
  patience: number
  clock: {
    setTimeout(run: () => void, ms: number): unknown
    clearTimeout(timer: unknown): void
  }
}

/** How far a response is. */
export interface ResponseHold {
  /** `open`: not begun. `holding`: begun, nothing on the wire. `failed`: dropped. */
  readonly state: HoldState
}

export type HoldState = 'open' | 'holding' | 'sent' | 'failed' | 'ended'
