import { connect, type Socket } from 'node:net'
import { turns } from './turns.js'
import type { Wire } from './wire.js'
import type { Answer, Command, Framer, Protocol } from './wire-protocols.js'

interface Aimed {
  readonly fits: (name?: string) => boolean
}

/** A fault that wears off. */
type Rule = Aimed & { times: number } & (
    | { readonly kind: 'cut'; readonly bytes: number }
    | { readonly kind: 'answer'; readonly text: string }
  )

interface Hold extends Aimed {
  readonly reach: () => void
  readonly released: Promise<void>
  readonly release: () => void
}

/** How all connections of a proxy behave now. */
export interface Behaviour {
  readonly protocol: Protocol
  /** Whether commands and answers are told apart. */
  readonly isFramed: boolean
  readonly target: () => number
  readonly wire: Wire
  /** In ms, for each direction. */
  delay: number
  /** As long as nothing passes. */
  hole: Promise<void> | undefined
  readonly rules: Rule[]
  readonly holds: Hold[]
}

/** A command that waits for its answer. */
interface Slot {
  readonly name: string | undefined
  answer?: Buffer
}

/** One connection through a proxy. What happens to it goes through a line for each direction. */
export class Connection {
  /** Neither side is connected any more. */
  readonly ended: Promise<void>
  readonly #client: Socket
  readonly #behaviour: Behaviour
  readonly #commands: Framer<Command>
  readonly #answers: Framer<Answer>
  readonly #slots: Slot[] = []
  #server: Socket | undefined
  #up: Promise<void> = Promise.resolve()
  #down: Promise<void> = Promise.resolve()
  #delivering: Promise<void> = Promise.resolve()
  #isOver = false

  constructor(client: Socket, behaviour: Behaviour) {
    this.#client = client
    this.#behaviour = behaviour
    this.#commands = behaviour.protocol.commands()
    this.#answers = behaviour.protocol.answers()
    const left = closed(client)
    this.ended = left.then(() => this.#up).then(() => this.#server && closed(this.#server))
    client.on('error', () => {})
    client.on('data', (bytes: Buffer) => this.#asked(bytes))
    client.once('end', () => this.#upwards(() => void this.#server?.end()))
    left.then(() => this.#upwards(() => this.#end()))
    this.#upwards(() => this.#connect())
  }

  /** Whether its client is still there. */
  get isOpen(): boolean {
    return !this.#client.destroyed
  }

  reset(): void {
    this.#isOver = true
    this.#server?.destroy()
    this.#client.resetAndDestroy()
  }

  #connect(): void {
    if (this.#isOver) return
    const server = connect({ port: this.#behaviour.target(), host: '127.0.0.1', noDelay: true })
    this.#server = server
    server.once('error', () => this.#downwards(() => this.reset()))
    server.on('data', (bytes: Buffer) => this.#downwards(() => this.#answered(bytes)))
    server.once('end', () => this.#downwards(() => this.#delivering.then(() => this.#end())))
  }

  /** A client that goes away in a black hole: what it has sent before arrives all the same. */
  #end(): void {
    this.#isOver = true
    this.#server?.end()
    this.#client.end()
  }

  #upwards(run: () => void): void {
    const { delay } = this.#behaviour
    const due = delay > 0 ? later(delay) : undefined
    this.#up = this.#up.then(async () => {
      await due
      while (this.#behaviour.hole) await this.#behaviour.hole
      run()
    })
  }

  #downwards(run: () => unknown): void {
    const { delay } = this.#behaviour
    // What a client in this process sends without a wait is seen before any answer to it goes on:
    // on several connections too it is one phase.
    const due = delay > 0 ? later(delay) : turns(3)
    this.#down = this.#down.then(async () => {
      await due
      while (this.#behaviour.hole) await this.#behaviour.hole
      await run()
    })
  }

  #asked(bytes: Buffer): void {
    const commands = this.#commands(bytes)
    for (const { name } of commands) this.#behaviour.wire.asked(name)
    this.#upwards(() => this.#passOn(commands))
  }

  #passOn(commands: readonly Command[]): void {
    const { isFramed } = this.#behaviour
    const passed: Buffer[] = []
    for (const { name, bytes, isAnswered } of commands) {
      const rule = this.#rule('answer', name)
      if (rule === undefined) {
        passed.push(bytes)
        if (isFramed && isAnswered) this.#slots.push({ name })
      } else {
        const slot = { name, answer: Buffer.from(rule.text) }
        if (isFramed) this.#slots.push(slot)
        else this.#deliver(slot)
      }
    }
    if (passed.length > 0 && this.#server?.writable) this.#server.write(Buffer.concat(passed))
    this.#deliverReady()
  }

  #answered(bytes: Buffer): void {
    for (const { bytes: answer, isPushed } of this.#answers(bytes)) {
      const slot = isPushed ? undefined : this.#slots.find(({ answer }) => answer === undefined)
      if (slot === undefined) this.#deliver({ name: undefined, answer })
      else slot.answer = answer
    }
    this.#deliverReady()
  }

  #deliverReady(): void {
    while (this.#slots[0]?.answer !== undefined) this.#deliver(this.#slots.shift()!)
  }

  /** One after the other: behind an answer that is held, all wait. */
  #deliver({ name, answer }: Slot): void {
    this.#delivering = this.#delivering.then(async () => {
      for (const hold of [...this.#behaviour.holds]) {
        if (!hold.fits(name)) continue
        hold.reach()
        await hold.released
      }
      if (!this.#client.writable) return
      this.#behaviour.wire.answered()
      const rule = this.#rule('cut', name)
      this.#client.write(rule === undefined ? answer! : answer!.subarray(0, rule.bytes))
      if (rule === undefined) return
      // The client has read the beginning by then.
      await turns(5)
      this.reset()
    })
  }

  #rule<Kind extends Rule['kind']>(kind: Kind, name: string | undefined) {
    const { rules } = this.#behaviour
    const found = rules.find((rule) => rule.kind === kind && rule.fits(name))
    if (found === undefined) return undefined
    found.times--
    if (found.times === 0) rules.splice(rules.indexOf(found), 1)
    return found as Extract<Rule, { kind: Kind }>
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
