// Stores as their authors write them on express-session's types.
// biome-ignore-all lint/suspicious/noExplicitAny: as they do
import session, { type SessionData, Store } from 'coatcheck/express-session'

/** All that is needed. Without `override`, since the methods of the base are abstract. */
export class Smallest extends session.Store {
  readonly #records = new Map<string, string>()

  get(sid: string, callback: (err: any, session?: SessionData | null) => void): void {
    const found = this.#records.get(sid)
    callback(null, found === undefined ? null : JSON.parse(found))
  }

  set(sid: string, session: SessionData, callback?: (err?: any) => void): void {
    this.#records.set(sid, JSON.stringify(session))
    callback?.()
  }

  destroy(sid: string, callback?: (err?: any) => void): void {
    this.#records.delete(sid)
    callback?.()
  }
}

interface Options {
  ttl?: number
}

/** Everything there is, with a constructor of its own. */
export class Whole extends Store {
  readonly ttl: number

  constructor(options: Options = {}) {
    super()
    this.ttl = options.ttl ?? 3600
    this.on('connect', () => {})
    this.setMaxListeners(20)
  }

  get = (_sid: string, callback: (err: unknown, session?: session.SessionData) => void): void =>
    callback(null)

  async set(_sid: string, { cookie }: session.SessionData, callback?: (err?: unknown) => void) {
    console.log(cookie.maxAge, cookie.originalMaxAge, cookie.expires)
    callback?.()
  }

  async destroy(_sid: string, callback: (err?: unknown) => void = () => {}): Promise<void> {
    callback()
  }

  override touch(_sid: string, _session: SessionData, callback?: () => void): void {
    callback?.()
  }

  override all(callback: (err: any, obj?: SessionData[] | null) => void): void {
    callback(null, [])
  }

  override length(callback: (err: any, length?: number) => void): void {
    callback(null, 0)
  }

  override clear(callback?: (err?: any) => void): void {
    callback?.()
  }

  ids(callback: (err: any, ids: string[]) => void): void {
    callback(null, [])
  }
}

// @ts-expect-error TS2654: two methods are missing
export class Lacking extends session.Store {
  destroy(): void {}
}

export class Kept extends session.MemoryStore {
  override destroy(sid: string, callback?: (err?: any) => void): void {
    console.log('ends', sid.length)
    super.destroy(sid, callback)
  }
}

/** What a factory in the manner of most stores takes. */
export function connect(from: { Store: typeof session.Store }): typeof session.Store {
  return from.Store
}
connect(session)
connect({ Store })

session({ secret: 'a secret', store: new Smallest() })
session({ secret: 'a secret', store: new Whole({ ttl: 60 }) })
session({ secret: 'a secret', store: new Kept() })
// @ts-expect-error TS2511: a class without get, set and destroy
new session.Store()
