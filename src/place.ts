import { cookieFrom } from './cookie-option.js'
import { Visit } from './core/visit.js'
import { OptionError } from './errors.js'
import { keepRequestCheap } from './http/dictionary.js'
import type { RequestLike } from './http/secure-request.js'
import type { Manager } from './manager.js'
import { tokensOf } from './open-tokens.js'
import { RequestSession } from './request-session.js'

/** `next` of a middleware. */
export type Next = (error?: unknown) => void

type Slotted<Data extends object> = { readonly [slot: symbol]: RequestSession<Data> | undefined }

/** Where a manager keeps the session of a request: out of sight, and behind `req.session`. */
export class Place<Data extends object> {
  readonly #slot = Symbol('coatcheck')
  readonly #waiting = new WeakMap<object, Next[]>()
  readonly #refused = new WeakMap<object, RequestSession<Data>>()
  readonly #manager: Manager<Data>
  readonly #property: string
  readonly #accessor: PropertyDescriptor

  constructor(manager: Manager<Data>) {
    const { settings } = manager
    const slot = this.#slot
    this.#manager = manager
    const heldBy = (req: object) => (req as Slotted<Data>)[slot]!
    this.#property = settings.property
    this.#accessor = {
      configurable: true,
      enumerable: true,
      get(this: object) {
        return heldBy(this).session
      },
      set(this: object, value: unknown) {
        heldBy(this).assign(value)
      },
    }
  }

  put(req: object, held: RequestSession<Data>): void {
    keepRequestCheap(req)
    // Not enumerable: a program that logs its request does not log this.
    Object.defineProperty(req, this.#slot, { value: held })
    Object.defineProperty(req, this.#property, this.#accessor)
  }

  /** A request is on its way in: until its session is there, others with the same one wait. */
  reserve(req: object): void {
    if (!this.#waiting.has(req)) this.#waiting.set(req, [])
  }

  has(req: object): boolean {
    return this.#slot in req || this.#waiting.has(req)
  }

  /** Goes on once the session of a request that came in twice is there. */
  whenReady(req: object, next: Next): void {
    const waiting = this.#waiting.get(req)
    if (waiting === undefined) next()
    else waiting.push(next)
  }

  /** The session is there, or never will be. */
  release(req: object): readonly Next[] {
    const waiting = this.#waiting.get(req) ?? []
    this.#waiting.delete(req)
    return waiting
  }

  /**
   * Answers a request by an error. Its error page may read `req.session`, which is empty and
   * read-only, and ask `explain`. Nothing is held: an error page commits nothing.
   */
  refuse(req: RequestLike, next: Next, error: unknown, held?: RequestSession<Data>): void {
    if (Reflect.get(req, this.#property) === undefined) this.#show(req, held ?? this.#unknown(req))
    const others = this.release(req)
    next(error)
    for (const one of others) one(error)
  }

  #show(req: object, held: RequestSession<Data>): void {
    this.#refused.set(req, held)
    Object.defineProperty(req, this.#property, {
      configurable: true,
      enumerable: true,
      get: () => held.session,
      set: (value: unknown) => held.assign(value),
    })
  }

  /** A request that was refused may try again. False: it was not. */
  readmit(req: object): boolean {
    return this.#refused.delete(req) && Reflect.deleteProperty(req, this.#property)
  }

  /** The session of a request that was refused before anybody looked for one. */
  #unknown(req: RequestLike): RequestSession<Data> {
    const { cookie } = this.#manager.settings
    const attributes = typeof cookie === 'function' ? cookieFrom({}) : cookie
    return new RequestSession(
      this.#manager,
      req,
      attributes,
      { tokens: tokensOf(this.#manager, req, attributes), rejected: 0, old: [] },
      false,
      new Visit(this.#manager.tools, { state: 'unavailable' }),
      { leave: () => {}, isDeleted: () => false, refused: 'refused' },
    )
  }

  /** Whether `req.session` was deleted. An accessor of somebody else has only taken the place. */
  isDeleted(req: object): boolean {
    const found = Object.getOwnPropertyDescriptor(req, this.#property)
    return found === undefined || found.get === undefined
  }

  find(req: object): RequestSession<Data> | undefined {
    return (req as Slotted<Data>)[this.#slot] ?? this.#refused.get(req)
  }

  /** @throws OptionError for a request that has not passed the middleware */
  get(req: object): RequestSession<Data> {
    const held = this.find(req)
    if (held === undefined) {
      throw new OptionError('This request has not passed the middleware of these sessions.')
    }
    return held
  }
}
