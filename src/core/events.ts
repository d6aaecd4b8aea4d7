import { asError, type CoatcheckError, OptionError, type WarningCode } from '../errors.js'

/** What every event tells. Nothing in any of them is an id, a cookie, a secret or data. */
export interface EventBase {
  /** The public handle of the session; absent where none is known. */
  readonly id?: string
  readonly user?: string
  /** When, in ms since the epoch. */
  readonly at: number
}

export type RenewReason = 'login' | 'logout' | 'switch' | 'authenticated' | 'regenerate'
export type DestroyReason = 'logout' | 'revoked' | 'evicted'

/** Why something that a handler set was not stored. */
export type StaleReason =
  /** Destroyed, revoked or unknown meanwhile. */
  | 'gone'
  /** The request came with an id that has been replaced a moment ago. */
  | 'superseded'
  /** Data set after `destroy()`. */
  | 'destroyed'
  /** The store failed at load and `onStoreError` is `'anonymous'`. */
  | 'unavailable'

/** Events of a manager, by name. Emitted after the store's answer, in this process only. */
export interface Events {
  create: EventBase & {
    readonly id: string
    /** It goes on with a session of before: the option `from`. */
    readonly takenFrom?: 'expressSession' | 'cookieSession'
  }
  /** A changed session was stored. */
  commit: EventBase & { readonly id: string }
  /** `id` is the new handle, `from` the one that ended. */
  renew: EventBase & { readonly id: string; readonly from: string; readonly reason: RenewReason }
  destroy: EventBase & { readonly id: string; readonly reason: DestroyReason }
  /** Best effort: somebody has to find it, a load or a sweep. */
  expire: EventBase & { readonly id: string; readonly reason: 'idle' | 'absolute' }
  /** A write was dropped, because its session had ended. */
  'stale-write': EventBase & { readonly reason: StaleReason }
  /** Two requests changed the same keys; the later one won. */
  conflict: EventBase & { readonly id: string; readonly keys: readonly string[] }
  /** A record could not be read. It stays where it is, and counts as unknown. */
  corrupt: EventBase & { readonly id: string; readonly reason: string }
  /** A token was refused. */
  reject: EventBase & { readonly reason: 'format' | 'signature' | 'unknown' }
  /** One request carried several live sessions. */
  duplicate: EventBase & { readonly ids: readonly string[] }
  /** Something failed that no caller waits for, or a request has failed. */
  error: EventBase & { readonly error: CoatcheckError | OptionError | Error }
  warning: EventBase & { readonly code: WarningCode; readonly message: string }
}

export type EventName = keyof Events
export type Listener<Name extends EventName> = (event: Events[Name]) => unknown

/** Every name; the compiler keeps the list complete. */
export const EVENT_NAMES: Readonly<Record<EventName, true>> = {
  create: true,
  commit: true,
  renew: true,
  destroy: true,
  expire: true,
  'stale-write': true,
  conflict: true,
  corrupt: true,
  reject: true,
  duplicate: true,
  error: true,
  warning: true,
}

/** Hands events to listeners. A listener that throws harms nobody: that becomes an `error` event. */
export class Emitter {
  readonly #listeners = new Map<EventName, Set<(event: never) => unknown>>()
  readonly #told = new WeakSet<Error>()

  /**
   * Gives the function that ends the listening.
   * @throws OptionError for what nobody would ever hear
   */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    if (!Object.hasOwn(EVENT_NAMES, name)) {
      throw new OptionError(
        `on: there is no such event. There are ${Object.keys(EVENT_NAMES).join(', ')}.`,
      )
    }
    if (typeof listener !== 'function') throw new OptionError('on: a listener is a function.')
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners)
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  /** One error is told once, however many have met it. */
  emit<Name extends EventName>(name: Name, event: Events[Name]): void {
    if ('error' in event) {
      if (this.#told.has(event.error)) return
      this.#told.add(event.error)
    }
    const listeners = this.#listeners.get(name)
    if (listeners === undefined) return
    for (const listener of [...listeners]) {
      const failed = (thrown: unknown) => {
        // A failing listener of `error` has nobody left to tell.
        if (name !== 'error') this.emit('error', { at: event.at, error: asError(thrown) })
      }
      try {
        const answer = (listener as Listener<Name>)(event)
        // Of any make: bluebird's, another realm's.
        if (isThenable(answer)) answer.then(undefined, failed)
      } catch (thrown) {
        failed(thrown)
      }
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
