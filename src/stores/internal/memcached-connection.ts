import type { Socket } from 'node:net'
import type { CoatcheckError } from '../../errors.js'
import { type Answer, Answers, Garbled } from './memcached-answers.js'
import { itemError, refusal, silent } from './memcached-errors.js'

/** What a command makes of an answer; `MORE`: the next one belongs to it too. */
export type Reader<T> = (answer: Answer) => T | typeof MORE
export const MORE = Symbol('the answer goes on')

interface Waiting {
  read(answer: Answer): boolean
  fail(error: CoatcheckError): void
  /** By the clock of `performance.now()`. */
  readonly until: number
}

/**
 * One connection. Commands go out as they come, and answers are matched by their order, as the
 * protocol has it. So one that does not come in time, or cannot be understood, ends the connection:
 * what came later would be taken for the answer to something else.
 */
export class Connection {
  readonly #socket: Socket
  readonly #limit: number
  readonly #answers = new Answers()
  readonly #onEnd: () => void
  #waiting: Waiting[] = []
  #timer: NodeJS.Timeout | undefined
  #end: CoatcheckError | undefined

  /** @param limit how long an answer may take, in ms */
  constructor(socket: Socket, limit: number, onEnd: () => void) {
    this.#socket = socket
    this.#limit = limit
    this.#onEnd = onEnd
    socket.setNoDelay(true)
    socket.on('data', (piece) => this.#receive(piece))
    socket.on('error', (error) => this.destroy(itemError('the connection failed.', true, error)))
    socket.on('close', () => this.destroy(itemError('the server closed the connection.', true)))
    // An idle connection keeps no process alive.
    socket.unref()
  }

  send<T>(command: string | Buffer, read: Reader<T>): Promise<T> {
    if (this.#end !== undefined) {
      const isClosed = this.#end.code === 'ERR_CLOSED'
      return Promise.reject(isClosed ? this.#end : itemError('the connection is lost.', false))
    }
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.length === 0) this.#socket.ref()
      this.#waiting.push({
        read(answer) {
          const result = answerOr(answer, read)
          if (result === MORE) return false
          if (result instanceof Refused) reject(result.error)
          else resolve(result)
          return true
        },
        fail: reject,
        until: performance.now() + this.#limit,
      })
      this.#timer ??= this.#watch(this.#limit)
      this.#socket.write(command)
    })
  }

  /** What waits for an answer fails with `error`. */
  destroy(error: CoatcheckError): void {
    if (this.#end !== undefined) return
    this.#end = error
    clearTimeout(this.#timer)
    this.#socket.destroy()
    this.#onEnd()
    for (const { fail } of this.#waiting.splice(0)) fail(error)
  }

  #receive(piece: Buffer): void {
    if (this.#end !== undefined) return
    try {
      for (const answer of this.#answers.read(piece)) {
        const first = this.#waiting[0]
        if (first === undefined) throw new Garbled('an answer that nobody waits for')
        if (first.read(answer)) this.#waiting.shift()
      }
    } catch (error) {
      const cause = error instanceof Garbled ? error : undefined
      this.destroy(itemError('the server sent something that is no answer.', true, cause))
      return
    }
    if (this.#waiting.length === 0) this.#socket.unref()
  }

  /** Looks after `ms` whether the oldest command has waited for too long. */
  #watch(ms: number): NodeJS.Timeout {
    const look = () => {
      this.#timer = undefined
      const oldest = this.#waiting[0]
      if (oldest === undefined) return
      const left = oldest.until - performance.now()
      if (left > 0) this.#timer = this.#watch(left)
      // In a process that was busy for so long, timers come before what the socket has received.
      else setImmediate(() => this.#giveUp(oldest))
    }
    return setTimeout(look, ms).unref()
  }

  #giveUp(waiting: Waiting): void {
    if (this.#waiting[0] === waiting) this.destroy(silent(this.#limit, true))
    else if (this.#waiting.length > 0) this.#timer ??= this.#watch(0)
  }
}

class Refused {
  readonly error: CoatcheckError
  constructor(error: CoatcheckError) {
    this.error = error
  }
}

function answerOr<T>(answer: Answer, read: Reader<T>): T | typeof MORE | Refused {
  if (answer.words[0] === 'SERVER_ERROR') return new Refused(refusal(answer.line))
  return read(answer)
}
