import type { Implementation } from '../implementations.js'

/** A wrong implementation: what is wrong with it, and where it shows. */
export interface Planted {
  readonly defect: string
  readonly implementation: Implementation
}

type Face = Implementation['session']
type Middleware = (req: Request, res: Response, next: (error?: unknown) => void) => void

interface Request {
  session?: Record<string, unknown>
}

interface Response {
  getHeader(name: string): unknown
  setHeader(name: string, value: unknown): void
  writeHead(...given: unknown[]): unknown
}

interface Store {
  [method: string]: (...given: unknown[]) => unknown
}

/** The middlewares that a careless rewrite could be, each made of the right one. */
export function plantedIn({ session }: Implementation): readonly Planted[] {
  return [
    plant(session, 'rolling whatever the options say', (options) =>
      session({ ...options, rolling: true }),
    ),
    plant(session, 'resave off where it was not said', (options) =>
      session({ resave: false, ...options }),
    ),
    plant(session, 'only the first of several secrets', ({ secret, ...options }) =>
      session({ ...options, secret: Array.isArray(secret) ? secret[0] : secret }),
    ),
    plant(session, 'no touch', (options) =>
      session({ ...options, store: without(options.store as Store, 'touch') }),
    ),
    plant(session, 'an error of a write that nobody hears of', (options) => {
      const middleware: Middleware = session(options)
      return (req, res, next) => {
        let isFirst = true
        middleware(req, res, (error) => {
          if (isFirst) next(error)
          isFirst = false
        })
      }
    }),
    plant(session, 'records with the cookie behind the data', (options) =>
      session({ ...options, store: cookieLast(options.store as Store) }),
    ),
    plant(session, 'a cookie without Priority', (options) =>
      onHeaders(session(options), (line) => line.replace(/; Priority=\w+/, '')),
    ),
    plant(session, 'attributes in another order', (options) =>
      onHeaders(session(options), (line) =>
        line.replace(/(; HttpOnly)(; Secure)/, (_found, one, other) => `${other}${one}`),
      ),
    ),
    plant(session, 'a session with a key more', (options) => {
      const middleware: Middleware = session(options)
      return (req, res, next) => {
        middleware(req, res, (error) => {
          if (req.session) Object.defineProperty(req.session, 'touched', { enumerable: true })
          next(error)
        })
      }
    }),
    plant(session, 'ids that may be any text, but are cut at a dot', ({ genid, ...options }) =>
      session({
        ...options,
        ...(genid === undefined
          ? {}
          : { genid: (req: unknown) => cut((genid as (req: unknown) => unknown)(req)) }),
      }),
    ),
  ]
}

function plant(
  session: Face,
  defect: string,
  make: (options: Record<string, unknown>) => Middleware,
): Planted {
  const { Store, Session, Cookie, MemoryStore } = session
  const wrong = Object.assign(make, { Store, Session, Cookie, MemoryStore })
  return { defect, implementation: { name: 'express-session', session: wrong } }
}

function without(store: Store, method: string): Store {
  return Object.create(store, { [method]: { value: undefined } })
}

function cookieLast(store: Store): Store {
  const set = store.set
  const value = (id: unknown, session: object, callback: unknown) => {
    const { cookie, ...data } = session as { cookie: unknown }
    const turned = Object.create(session, {
      toJSON: { value: () => ({ ...data, cookie }) },
    })
    return set?.call(store, id, turned, callback)
  }
  return Object.create(store, { set: { value } })
}

function onHeaders(middleware: Middleware, edit: (line: string) => string): Middleware {
  return (req, res, next) => {
    const { writeHead } = res
    res.writeHead = (...given) => {
      const lines = res.getHeader('Set-Cookie')
      if (Array.isArray(lines)) res.setHeader('Set-Cookie', lines.map(edit))
      return writeHead.apply(res, given)
    }
    middleware(req, res, next)
  }
}

function cut(id: unknown): unknown {
  return typeof id === 'string' ? id.split('.')[0] : id
}
