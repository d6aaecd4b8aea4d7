import { MemoryStore as ExpressMemoryStore } from 'express-session'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cookieSession } from '../../src/cookie-session/index.js'
import { ERROR_STATUS, type ErrorCode, WARNING_CODES, type WarningCode } from '../../src/errors.js'
import {
  CoatcheckError,
  hasCode,
  isCoatcheckError,
  MemoryStore,
  OptionError,
  type Session,
  type SessionOptions,
  session,
} from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { processWarnings } from '../support/process-events.js'
import { type AnyData, type App, SECRET, serve, serveApp } from '../support/serve.js'
import { turns } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const TIMEOUT = 2000

interface Scene extends App {
  readonly store: WatchedStore
  /** Makes a session, and gives its cookie. */
  signedIn(): Promise<string>
  /** What `run` fails with inside a handler, or what the request then fails with. */
  during(run: (session: Session<AnyData>) => unknown, cookie?: string): Promise<unknown>
}

async function scene(options: Partial<SessionOptions<AnyData>> = {}): Promise<Scene> {
  const store = new WatchedStore((options.store as MemoryStore | undefined) ?? new MemoryStore())
  let run: (session: Session<AnyData>) => unknown = () => {}
  let failure: unknown
  const made = await serveApp(
    (app, sessions) => {
      app.get('/run', async (req, res) => {
        try {
          await run(sessions.of(req).session)
        } catch (error) {
          failure = error
          throw error
        }
        res.end()
      })
    },
    { ...options, store },
  )
  return {
    ...made,
    store,
    signedIn: async () => `sid=${await made.sessions.issue({ userId: 'ada' })}`,
    during: async (given, cookie = '') => {
      run = given
      failure = undefined
      // What nobody has caught is told by an event, and shown by the error page.
      const stop = made.sessions.on('error', ({ error }) => {
        failure ??= error
      })
      const { status } = await made.browser().get('/run', { headers: { cookie } })
      stop()
      expect(status).toBe((failure as CoatcheckError).status)
      return failure
    },
  }
}

/** Options of sessions that are in their cookies. */
function travelling(): Partial<SessionOptions<AnyData>> {
  return { store: new CookieStore({ keys: SECRET }), secret: undefined } as never
}

interface Failing {
  readonly how: string
  /** Brings the error about. */
  run(): Promise<unknown>
  /** What is on it besides code, status of the code, and what all have in common. */
  readonly has?: Partial<Record<keyof CoatcheckError, unknown>>
}

const LOST = { message: 'connection lost' }

const errors: Readonly<Record<ErrorCode, readonly Failing[]>> = {
  ERR_OPTION: [
    {
      how: 'a wrong option',
      run: async () => thrownBy(() => session({ secret: 'short' })),
    },
    {
      how: 'a request that has not passed',
      run: async () => thrownBy(() => session({ secret: SECRET }).of({})),
    },
  ],
  ERR_STORE: [
    {
      how: 'a load',
      async run() {
        const { store, signedIn, during } = await scene()
        const cookie = await signedIn()
        store.fail('load')
        return during(() => {}, cookie)
      },
      has: { op: 'load', store: 'WatchedStore', retryable: true, outcome: 'failed', cause: LOST },
    },
    {
      how: 'a commit',
      async run() {
        const { store, during } = await scene()
        store.fail('create')
        return during((one) => {
          one.cart = 1
        })
      },
      has: {
        op: 'create',
        store: 'WatchedStore',
        status: 500,
        retryable: true,
        outcome: 'failed',
        cause: LOST,
      },
    },
  ],
  ERR_STORE_TIMEOUT: [
    {
      how: 'a load',
      async run() {
        const { store, signedIn, sessions, clock } = await scene()
        const cookie = await signedIn()
        store.silence('load')
        const failed = sessions.read({ headers: { cookie } }).catch((error) => error)
        await clock.advance(TIMEOUT)
        return failed
      },
      has: { op: 'load', store: 'WatchedStore', retryable: true, outcome: 'unknown' },
    },
    {
      how: 'a commit',
      async run() {
        const { store, sessions, clock } = await scene()
        store.silence('create')
        const failed = sessions.issue({}).catch((error) => error)
        await clock.advance(TIMEOUT)
        return failed
      },
      has: {
        op: 'create',
        store: 'WatchedStore',
        status: 500,
        retryable: true,
        outcome: 'unknown',
      },
    },
  ],
  ERR_READ_ONLY: [
    {
      how: 'save() of a session that could not be loaded',
      async run() {
        const { store, signedIn, during } = await scene({ onStoreError: 'anonymous' })
        const cookie = await signedIn()
        store.fail('load')
        return during((one) => one.save(), cookie)
      },
      has: { retryable: true },
    },
  ],
  ERR_CONFLICT: [
    {
      how: 'strict concurrency',
      async run() {
        const { sessions, signedIn, during } = await scene({ concurrency: 'strict' })
        const cookie = await signedIn()
        return during(async (one) => {
          const other = await sessions.read({ headers: { cookie } })
          await other!.update((data) => {
            data.cart = 'theirs'
          })
          one.cart = 'mine'
          await one.save()
        }, cookie)
      },
      has: { op: 'replace', retryable: true, outcome: 'failed' },
    },
    {
      how: 'too many lost races',
      async run() {
        class Contended extends MemoryStore {
          override replace(): 'changed' {
            return 'changed'
          }
        }
        const { signedIn, during } = await scene({ store: new Contended() })
        const cookie = await signedIn()
        return during((one) => {
          one.cart = 1
          return one.save()
        }, cookie)
      },
      has: { op: 'replace', store: 'WatchedStore', retryable: true, outcome: 'failed' },
    },
  ],
  ERR_GONE: (['save', 'reload', 'update'] as const).map((op) => ({
    how: `${op}() of a session that was revoked`,
    async run() {
      const { sessions, signedIn, during } = await scene()
      const cookie = await signedIn()
      return during(async (one) => {
        await sessions.revokeUser('ada').catch(() => sessions.revoke(one.id))
        one.cart = 1
        await one[op](() => {})
      }, cookie)
    },
    has: { op },
  })),
  ERR_HEADERS_SENT: [
    {
      how: 'save() of a new session after the headers',
      async run() {
        let failed: Promise<unknown> | undefined
        const made = await serveApp((app, sessions) => {
          app.get('/late', (req, res) => {
            const one = sessions.of(req).session
            res.write('begun')
            one.cart = 1
            failed = one.save().catch((error) => error)
            failed.then(() => res.end())
          })
        })
        await made.browser().get('/late')
        return failed
      },
    },
  ],
  ERR_NOT_SERIALIZABLE: [
    {
      how: 'a BigInt',
      async run() {
        const { during } = await scene()
        return during((one) => {
          one.total = 1n
        })
      },
    },
  ],
  ERR_RESERVED_KEY: [
    {
      how: 'data named save',
      async run() {
        const { during } = await scene()
        return during((one) => Object.assign(one, { save: 1 }))
      },
    },
  ],
  ERR_COOKIE_TOO_LARGE: [
    {
      how: 'a session that travels in its cookie',
      async run() {
        let failure: unknown
        const made = await serveApp((app, sessions) => {
          sessions.on('error', ({ error }) => {
            failure = error
          })
          app.get('/run', (req, res) => {
            sessions.of(req).session.text = 'x'.repeat(4000)
            res.end()
          })
        }, travelling())
        expect((await made.browser().get('/run')).status).toBe(500)
        return failure
      },
      has: { op: 'commit', outcome: 'failed' },
    },
    {
      how: 'a session in its cookie',
      async run() {
        let failure: unknown
        const { origin } = await serve((req, res) => {
          cookieSession({ secret: SECRET })(req, res, (error) => {
            failure = error
            if (error === undefined)
              (req as { session?: unknown }).session = { text: 'x'.repeat(4000) }
            res.end()
          })
        })
        await fetch(origin)
        return failure
      },
    },
  ],
  ERR_RECORD_TOO_LARGE: [
    {
      how: 'more than a store takes',
      async run() {
        const { during } = await scene({ store: new MemoryStore({ maxBytes: 1000 }) })
        return during((one) => {
          one.text = 'x'.repeat(1000)
        })
      },
      has: { op: 'create', store: 'MemoryStore' },
    },
  ],
  ERR_ID_TAKEN: [
    {
      how: 'a store in which everything is taken',
      async run() {
        class Full extends MemoryStore {
          override create(): false {
            return false
          }
        }
        const { during } = await scene({ store: new Full() })
        return during((one) => {
          one.cart = 1
        })
      },
      has: { op: 'create', store: 'WatchedStore', outcome: 'failed' },
    },
  ],
  ERR_UNSUPPORTED: [
    {
      how: 'list() without an index',
      run: async () => (await scene()).sessions.list('ada').catch((error) => error),
      has: { op: 'list', store: 'WatchedStore' },
    },
    {
      how: 'a call of the session inside its own update',
      async run() {
        const { during } = await scene()
        return during((one) => one.update(() => one.save()))
      },
      has: { op: 'save' },
    },
  ],
  ERR_NO_RESPONSE: [
    {
      how: 'a sign-in over a socket',
      async run() {
        const { sessions, signedIn } = await scene()
        const found = await sessions.read({ headers: { cookie: await signedIn() } })
        found!.userId = 'eve'
        return found!.save().catch((error) => error)
      },
    },
  ],
  ERR_CLOSED: [
    {
      how: 'a call',
      async run() {
        const { sessions } = await scene()
        await sessions.close()
        return sessions.list('ada').catch((error) => error)
      },
    },
    {
      how: 'a request',
      async run() {
        const { sessions } = await scene()
        await sessions.close()
        return new Promise((resolve) => sessions({ headers: {} }, {}, resolve))
      },
    },
  ],
}

const allErrors = Object.entries(errors).flatMap(([code, list]) =>
  list.map((failing) => ({ code: code as ErrorCode, ...failing })),
)

describe('every code of an error', () => {
  it('has a scenario', () => {
    expect(Object.keys(errors).sort()).toEqual(Object.keys(ERROR_STATUS).sort())
    for (const code of Object.keys(ERROR_STATUS)) expect(errors[code as ErrorCode]).not.toEqual([])
  })

  it.each(allErrors)('$code comes with its fields: $how', async ({ code, run, has = {} }) => {
    const error = await run()
    expect(error).toBeInstanceOf(code === 'ERR_OPTION' ? OptionError : CoatcheckError)
    const { cause, ...fields } = has
    const { name, message, stack, ...found } = Object.assign({}, error as object, plain(error))
    expect(found).toEqual({
      code,
      status: ERROR_STATUS[code],
      expose: false,
      retryable: false,
      ...fields,
    })
    expect([typeof message, typeof stack]).toEqual(['string', 'string'])
    if (cause === undefined) expect(Object.hasOwn(error as object, 'cause')).toBe(false)
    else expect((error as Error).cause).toMatchObject(cause as object)
    expect([hasCode(error, code), isCoatcheckError(error)]).toEqual([true, true])
  })
})

interface Warned {
  readonly options?: () => Partial<SessionOptions<AnyData>>
  /** Brings it about, twice if it is called twice. */
  run(made: App & { store: WatchedStore }): Promise<unknown>
}

/** Given by the drop-ins alone, whose tests have them. */
const OF_THE_DROP_INS = ['WARN_WEAK_SECRET'] as const

type OwnCode = Exclude<WarningCode, (typeof OF_THE_DROP_INS)[number]>

const warnings: Readonly<Record<OwnCode, Warned>> = {
  WARN_HELD_BYTES: {
    options: () => ({ maxHeldBytes: 10 }),
    async run({ store, browser }) {
      const create = store.pause('create')
      const answer = browser().get('/flood')
      await create.reached
      await turns()
      create.resume()
      await answer
    },
  },
  WARN_TOO_LATE: { run: ({ browser }) => browser().get('/late') },
  WARN_INSECURE_HOP: {
    options: () => ({ cookie: { secure: true } }),
    run: ({ browser }) => browser().get('/set'),
  },
  WARN_CACHEABLE: { run: ({ browser }) => browser().get('/public') },
  WARN_LIFETIME_CAPPED: {
    options: () => ({ absoluteTimeout: 1000 }),
    run: ({ browser }) => browser().get('/remember'),
  },
  WARN_COOKIE_LARGE: {
    options: travelling,
    run: ({ browser }) => browser().get('/large'),
  },
  WARN_MEMORY_STORE: {
    options() {
      const before = process.env.NODE_ENV
      process.env.NODE_ENV = 'production'
      onTestFinished(() => {
        process.env.NODE_ENV = before
      })
      return { store: new MemoryStore() }
    },
    run: ({ browser }) => browser().get('/set'),
  },
  WARN_LEGACY_STORE: {
    options: () => ({ store: new ExpressMemoryStore() as never }),
    run: ({ browser }) => browser().get('/set'),
  },
}

async function warned({ options }: Warned) {
  const store = new WatchedStore(new MemoryStore())
  const made = await serveApp(
    (app, sessions) => {
      app.get('/set', (req, res) => {
        sessions.of(req).session.cart = 1
        res.end()
      })
      app.get('/large', (req, res) => {
        sessions.of(req).session.cart = 'x'.repeat(2400)
        res.end()
      })
      app.get('/late', (req, res) => {
        res.write('begun')
        sessions.of(req).session.cart = 1
        res.end()
      })
      app.get('/public', (req, res) => {
        sessions.of(req).session.cart = 1
        res.set('Cache-Control', 'public, max-age=60').end()
      })
      app.get('/remember', (req, res) => {
        const one = sessions.of(req).session
        one.cart = 1
        one.cookie.maxAge = 2000
        res.end()
      })
      app.get('/flood', (req, res) => {
        sessions.of(req).session.cart = 1
        for (let n = 0; n < 4; n++) res.write('twenty bytes of page')
        res.end()
      })
    },
    { store, ...options?.() },
  )
  const events: unknown[] = []
  made.sessions.on('warning', (event) => events.push(event))
  return { ...made, store, events }
}

describe('every code of a warning', () => {
  it('has a scenario', () => {
    expect([...Object.keys(warnings), ...OF_THE_DROP_INS].sort()).toEqual([...WARNING_CODES].sort())
  })

  it.each(Object.keys(warnings) as OwnCode[])(
    '%s comes once per manager, to the log and as an event',
    async (code) => {
      const logged = processWarnings()
      const one = await warned(warnings[code])
      await warnings[code].run(one)
      await warnings[code].run(one)
      await turns()
      expect(logged).toEqual([code])
      const at = one.clock.now()
      expect(one.events).toEqual([{ code, message: expect.any(String), at }])
      await warnings[code].run(await warned(warnings[code]))
      await turns()
      expect(logged).toEqual([code, code])
    },
  )
})

describe('isCoatcheckError and hasCode', () => {
  it.each([
    undefined,
    null,
    'ERR_STORE',
    { code: 'ERR_STORE' },
    new Error('no code'),
    Object.assign(new Error('of Node'), { code: 'ENOENT' }),
    Object.assign(new Error('of the prototype'), { code: 'toString' }),
  ])('say no to %s', (thrown) => {
    expect([isCoatcheckError(thrown), hasCode(thrown, 'ERR_STORE')]).toEqual([false, false])
  })
})

/** The members of an error that a spread leaves out. */
function plain(error: unknown) {
  const { name, message, stack } = error as Error
  return { name, message, stack }
}

function thrownBy(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}
