import type { WarningCode } from '../errors.js'
import type { Clock } from './clock.js'
import { Emitter, type EventName, type Events, type Listener } from './events.js'

/** Events with their time, and warnings that are given once. */
export class Notices {
  readonly #emitter = new Emitter()
  readonly #warned = new Set<WarningCode>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Listens to an event; gives the function that ends it. No listener delays a response. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    return this.#emitter.on(name, listener)
  }

  emit<Name extends EventName>(name: Name, event: Omit<Events[Name], 'at'>): void {
    this.#emitter.emit(name, { ...event, at: this.#clock.now() } as Events[Name])
  }

  /** Once per code: to the log of the process, and as an event. */
  warn(code: WarningCode, message: string): void {
    if (this.#warned.has(code)) return
    this.#warned.add(code)
    process.emitWarning(message, { type: 'CoatcheckWarning', code })
    this.emit('warning', { code, message })
  }
}
