import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  type Callback,
  type ListedSession,
  MemoryStore,
  type Session,
  type SessionInfo,
  type SessionManager,
} from '../../src/index.js'
import { fatal } from '../support/process-events.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { turns } from '../support/turns.js'

/** A store whose server can be away. */
class Remote extends MemoryStore {
  isDown = false

  async #answer<T>(run: () => T): Promise<Awaited<T>> {
    if (this.isDown) throw new Error('connection refused')
    return await run()
  }
  override load(key: string): never {
    return this.#answer(() => super.load(key)) as never
  }
  override create(...args: Parameters<MemoryStore['create']>): never {
    return this.#answer(() => super.create(...args)) as never
  }
  override async keysOfUser(user: string): Promise<string[]> {
    return this.#answer(() => super.keysOfUser(user))
  }
  override async sweep(): Promise<number> {
    return this.#answer(() => super.sweep())
  }
  async close(): Promise<void> {
    return this.#answer(() => {})
  }
}

interface Context {
  readonly sessions: SessionManager<AnyData>
  readonly of: SessionInfo<AnyData>
  readonly session: Session<AnyData>
  readonly req: { headers: { cookie: string } }
}

interface Call {
  readonly name: string
  run(context: Context, callback?: Callback<unknown>): Promise<unknown>
  readonly gives: unknown
  /** The code it fails with when the store is away. */
  readonly fails: string | undefined
}

const TOKEN = expect.stringMatching(/^[\w-]{32}\.[\w-]+$/)
const NOWHERE = 'a'.repeat(43)

const calls: Call[] = [
  {
    name: 'sessions.read(req)',
    run: ({ sessions, req }, callback) => sessions.read(req, callback),
    gives: expect.objectContaining({ userId: 'ada' }),
    fails: 'ERR_STORE',
  },
  {
    name: 'sessions.issue(data)',
    run: ({ sessions }, callback) => sessions.issue({ userId: 'bob' }, callback),
    gives: TOKEN,
    fails: 'ERR_STORE',
  },
  {
    name: 'sessions.list(user)',
    run: ({ sessions }, callback) => sessions.list('ada', callback),
    gives: [expect.objectContaining({ data: { userId: 'ada' } })],
    fails: 'ERR_STORE',
  },
  {
    name: 'sessions.revoke(id)',
    run: ({ sessions }, callback) => sessions.revoke(NOWHERE, callback),
    gives: false,
    fails: 'ERR_STORE',
  },
  {
    name: 'sessions.revokeUser(user)',
    run: ({ sessions }, callback) =>
      callback === undefined ? sessions.revokeUser('ada') : sessions.revokeUser('ada', callback),
    gives: 1,
    fails: 'ERR_STORE',
  },
  {
    name: 'sessions.revokeUser(user, options)',
    run: ({ sessions, session }, callback) =>
      sessions.revokeUser('ada', { except: session.id }, callback),
    gives: 0,
    fails: 'ERR_STORE',
  },
  {
    name: 'sessions.sweep()',
    run: ({ sessions }, callback) =>
      callback === undefined ? sessions.sweep() : sessions.sweep(callback),
    gives: 0,
    fails: 'ERR_STORE',
  },
  {
    name: 'sessions.sweep(options)',
    run: ({ sessions }, callback) => sessions.sweep({ limit: 1 }, callback),
    gives: 0,
    fails: 'ERR_STORE',
  },
  {
    name: 'sessions.settled()',
    run: ({ sessions }, callback) => sessions.settled(callback),
    gives: undefined,
    fails: undefined,
  },
  {
    name: 'sessions.close()',
    run: ({ sessions }, callback) => sessions.close(callback),
    gives: undefined,
    fails: 'ERR_STORE',
  },
  {
    name: 'session.save()',
    run: ({ session }, callback) => session.save(callback),
    gives: undefined,
    fails: 'ERR_READ_ONLY',
  },
  {
    name: 'session.reload()',
    run: ({ session }, callback) => session.reload(callback),
    gives: undefined,
    fails: 'ERR_READ_ONLY',
  },
  {
    name: 'session.destroy()',
    run: ({ session }, callback) => session.destroy(callback),
    gives: undefined,
    fails: 'ERR_READ_ONLY',
  },
  {
    name: 'session.touch()',
    run: ({ session }, callback) => session.touch(callback),
    gives: undefined,
    fails: 'ERR_READ_ONLY',
  },
  {
    name: 'session.regenerate()',
    run: ({ session }, callback) =>
      callback === undefined ? session.regenerate() : session.regenerate(callback),
    gives: undefined,
    fails: 'ERR_READ_ONLY',
  },
  {
    name: 'session.regenerate(options)',
    run: ({ session }, callback) => session.regenerate({ keep: true }, callback),
    gives: undefined,
    fails: 'ERR_READ_ONLY',
  },
  {
    name: 'session.update(change)',
    run: ({ session }, callback) => session.update(() => 'changed', callback),
    gives: 'changed',
    fails: 'ERR_READ_ONLY',
  },
  {
    name: 'of(req).authenticated()',
    run: ({ of }, callback) => of.authenticated(callback),
    gives: undefined,
    fails: 'ERR_READ_ONLY',
  },
  {
    name: 'of(req).token()',
    run: ({ of }, callback) => of.token(callback),
    gives: TOKEN,
    fails: 'ERR_READ_ONLY',
  },
]

const failing = calls.filter(({ fails }) => fails !== undefined)

/** Makes a call inside a request, with the store there or away; gives what its error events told. */
async function during(isDown: boolean, run: (context: Context) => void): Promise<unknown[]> {
  const store = new Remote()
  const told: unknown[] = []
  const { sessions, browser } = await serveApp(
    (app, all) => {
      app.get('/call', (req, res) => {
        const of = all.of(req)
        const { session } = of
        const { cookie = '' } = req.headers
        // The failed load of this very request is not of the call.
        told.length = 0
        run({ sessions: all, of, session, req: { headers: { cookie } } })
        res.end()
      })
    },
    { store, onStoreError: 'anonymous' },
  )
  const token = await sessions.issue({ userId: 'ada' })
  store.isDown = isDown
  sessions.on('error', ({ error }) => told.push((error as { code?: unknown }).code))
  await browser().get('/call', { headers: { cookie: `sid=${token}` } })
  await turns()
  store.isDown = false
  return told
}

describe('every asynchronous method', () => {
  it('is in the table of this test', async () => {
    const { sessions, browser } = await serveApp((app, all) => {
      app.get('/names', (req, res) => {
        const of = all.of(req)
        res.json([...methodsOf(all), ...methodsOf(of), ...methodsOf(of.session)])
      })
    })
    const isSync = ['capabilities', 'explain', 'of', 'on', 'assign', 'begin', 'beginNow', 'ended']
    const ofTheManager = ['noteRead']
    const ofTheHold = ['finish', 'left', 'report']
    const names = (await browser().get('/names')).json<string[]>()
    const listed = calls.map(({ name }) => /(\w+)\([\w, ]*\)$/.exec(name)![1]!)
    expect(
      [...new Set(names)]
        .filter((name) => ![...isSync, ...ofTheHold, ...ofTheManager].includes(name))
        .sort(),
    ).toEqual([...new Set(listed)].sort())
    await sessions.settled()
  })

  it.each(calls)('resolves: $name', async ({ run, gives }) => {
    let result: Promise<unknown> | undefined
    await during(false, (context) => {
      result = run(context)
    })
    expect(result).toBeInstanceOf(Promise)
    expect(await result).toEqual(gives)
  })

  it.each(calls)('gives the same to a last callback, once: $name', async ({ run, gives }) => {
    const calledWith: unknown[][] = []
    await during(false, (context) => {
      run(context, (...args: unknown[]) => void calledWith.push(args))
    })
    expect(calledWith).toEqual([[null, gives]])
  })

  it.each(failing)('rejects, and tells an event: $name', async ({ run, fails }) => {
    let result: Promise<unknown> | undefined
    const told = await during(true, (context) => {
      result = run(context)
    })
    await expect(result).rejects.toMatchObject({ code: fails })
    expect(told).toEqual([fails])
  })

  it.each(failing)('gives its error to a last callback, once: $name', async ({ run, fails }) => {
    const unhandled = fatal('unhandledRejection')
    const calledWith: unknown[][] = []
    await during(true, (context) => {
      run(context, (...args: unknown[]) => void calledWith.push(args))
    })
    expect(calledWith).toEqual([[expect.objectContaining({ code: fails })]])
    expect(unhandled).toEqual([])
  })

  it.each(failing)('ends no process if nobody awaits its failure: $name', async ({ run }) => {
    const unhandled = fatal('unhandledRejection')
    await during(true, (context) => void run(context))
    expect(unhandled).toEqual([])
  })

  it.each(calls)(
    'neither swallows what its callback throws nor calls it again: $name',
    async ({ run }) => {
      const unhandled = fatal('unhandledRejection')
      const uncaught = fatal('uncaughtException')
      let times = 0
      const told = await during(false, (context) => {
        run(context, () => {
          times++
          throw new Error('of the callback')
        })
      })
      expect(times).toBe(1)
      expect(uncaught).toEqual([expect.objectContaining({ message: 'of the callback' })])
      expect(unhandled).toEqual([])
      expect(told).toEqual([])
    },
  )

  it.each(calls)('takes no notice of a callback that is none: $name', async ({ run }) => {
    const uncaught = fatal('uncaughtException')
    let result: Promise<unknown> | undefined
    await during(false, (context) => {
      result = run(context, 'SIGTERM' as never)
    })
    await result
    expect(uncaught).toEqual([])
  })
})

describe('the types of callbacks', () => {
  it('are those of the promises', () => {
    const typed = (sessions: SessionManager<AnyData>, of: SessionInfo<AnyData>) => {
      sessions.list(7, (error, listed) => {
        expectTypeOf(error).toEqualTypeOf<unknown>()
        expectTypeOf(listed).toEqualTypeOf<ListedSession<AnyData>[] | undefined>()
      })
      sessions.read({ headers: {} }, (_, found) => {
        expectTypeOf(found).toEqualTypeOf<Session<AnyData> | null | undefined>()
      })
      sessions.issue({}, (_, token) => expectTypeOf(token).toEqualTypeOf<string | undefined>())
      sessions.revoke('id', (_, was) => expectTypeOf(was).toEqualTypeOf<boolean | undefined>())
      sessions.revokeUser(7, (_, n) => expectTypeOf(n).toEqualTypeOf<number | undefined>())
      sessions.sweep((_, n) => expectTypeOf(n).toEqualTypeOf<number | undefined>())
      of.token((_, token) => expectTypeOf(token).toEqualTypeOf<string | undefined>())
      // @ts-expect-error: a callback is the last argument
      sessions.sweep(() => {}, { limit: 1 })
    }
    expectTypeOf(typed).toBeFunction()
  })
})

describe('an argument that cannot be meant', () => {
  it.each<[string, (sessions: SessionManager<AnyData>) => Promise<unknown>]>([
    ['a user without a name', (sessions) => sessions.list('')],
    ['a user that is none', (sessions) => sessions.revokeUser(undefined as never)],
    ['a limit of nothing', (sessions) => sessions.sweep({ limit: 0 })],
    ['a limit that is no number', (sessions) => sessions.sweep({ limit: Number.NaN })],
    ['a limit outside of options', (sessions) => sessions.sweep(5 as never)],
    ['a session of nothing', (sessions) => sessions.issue(null as never)],
    ['a session of text', (sessions) => sessions.issue('ada' as never)],
    ['an event that there is not', async (sessions) => sessions.on('eror' as never, () => {})],
    ['a member of any object', async (sessions) => sessions.on('toString' as never, () => {})],
    ['a listener that is none', async (sessions) => sessions.on('error', undefined as never)],
    ['an exception that is no id', (sessions) => sessions.revokeUser(1, { except: 7 as never })],
  ])('is refused: %s', async (_, call) => {
    const { sessions } = await serveApp()
    await expect(call(sessions)).rejects.toMatchObject({ code: 'ERR_OPTION' })
  })

  it('ends nothing, and finds nothing, where an id is expected', async () => {
    const { sessions } = await serveApp()
    expect(await sessions.revoke(undefined as never)).toBe(false)
  })
})

/** Names of the methods on an object and on the prototypes of its own making. */
function methodsOf(value: object): string[] {
  const names: string[] = []
  for (let at = value; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    if (at === Function.prototype) break
    for (const name of Object.getOwnPropertyNames(at)) {
      if (name === 'constructor' || Object.hasOwn(Object.prototype, name)) continue
      if (typeof Reflect.get(value, name) === 'function') names.push(name)
    }
  }
  return names
}
