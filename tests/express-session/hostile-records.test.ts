import { describe, expect, it } from 'vitest'
import { MemoryStore, session } from '../../src/express-session/index.js'
import { handStore } from './hand-store.js'
import { dropIn } from './implementations.js'
import { at, cookieFor, program } from './program.js'

describe('a record of a wrong make', () => {
  it.each([
    '{"cookie":{"maxAge":"x"}}',
    '{"cookie":{"maxAge":true}}',
    '{"cookie":{"maxAge":{}}}',
    '{"cookie":{"maxAge":5000}}',
    '{"cookie":{"originalMaxAge":true}}',
    '{"cookie":{"originalMaxAge":1e999}}',
    '{"cookie":{"originalMaxAge":1e300}}',
    '{"cookie":{"originalMaxAge":[]}}',
    '{"cookie":{"originalMaxAge":"5"}}',
    '{"cookie":{"originalMaxAge":-1e300}}',
    '{"cookie":{"expires":"x"}}',
    '{"cookie":{"expires":{}}}',
    '{"cookie":{"expires":true}}',
    '{"cookie":{"expires":[]}}',
    '{"cookie":{"_expires":"x"}}',
    '{"cookie":{"_expires":"2099-01-01T00:00:00.000Z"}}',
    '{"cookie":{"_expires":7}}',
    '{"cookie":{"_expires":{}}}',
    '{"cookie":{"__proto__":{"x":1}}}',
    '{"cookie":{"constructor":1,"toString":1,"hasOwnProperty":1,"data":1}}',
    '{"cookie":{"resetMaxAge":1}}',
    '{"cookie":[]}',
    '{"cookie":{"coatcheck":5}}',
    '{"cookie":{"coatcheck":{"began":"x"}}}',
    '{"cookie":{"expires":1e999}}',
    '{"cookie":{"expires":1e300}}',
    '{"cookie":{},"__proto__":{"a":1},"id":1,"req":1,"save":1,"toJSON":1,"then":1,"constructor":1,"toString":1}',
  ])('is no error for ever: %s', async (text) => {
    for (const options of [
      {},
      { idleTimeout: 1e6 },
      { rolling: true },
      { resave: true },
      { hashIds: true },
    ]) {
      for (const make of [() => handStore(dropIn), () => new MemoryStore()]) {
        const store = make()
        if (store instanceof MemoryStore) store.sessions.old = text
        else store.kept.set('old', text)
        const { browser, errors } = await program({}, { store, ...options })
        const headers = { cookie: cookieFor('old') }
        const a = await browser().get('/', { headers })
        const b = await browser().get('/set?z=1', { headers })
        const c = await browser().get('/', { headers })
        const what = JSON.stringify(options) + (store instanceof MemoryStore)
        expect([what, a.status, b.status, c.status, errors.map(String)]).toEqual([
          what,
          200,
          200,
          200,
          [],
        ])
      }
    }
  })
})

it('takes cookie: null as express-session does', async () => {
  for (const cookie of [null, false, undefined, 0, '']) {
    const { browser } = await program({}, { cookie })
    expect((await browser().get('/set?a=1')).status).toBe(200)
  }
})

it('has the name that frameworks show', () => {
  expect(
    (
      session({ secret: 'x', resave: false, saveUninitialized: false }) as unknown as {
        name: string
      }
    ).name,
  ).toBe('session')
})

it.each([
  '__proto__',
  'cookie',
  'id',
  'req',
  'save',
  'toJSON',
  'then',
  'constructor',
  'destroy',
  'reload',
  'touch',
  'hasOwnProperty',
  'length',
])('data under the name %s is no error for the next request', async (key) => {
  for (const store of [handStore(dropIn), new MemoryStore()]) {
    const routes: Parameters<typeof program>[0] = {
      '/put': (req, res) => {
        // Some names are read-only on a session, as they are in express-session.
        Reflect.set(at(req).session, key, { evil: 1 })
        at(req).session.a = 1
        res.json({})
      },
    }
    const { browser, errors } = await program(routes, { store })
    const visitor = browser()
    expect((await visitor.get('/put')).status).toBe(200)
    expect((await visitor.get('/')).status).toBe(200)
    expect(errors).toEqual([])
  }
})
