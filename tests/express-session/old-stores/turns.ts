import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CookieClient, CookieJar } from '../../../src/testing/index.js'
import { hasServer } from '../../support/servers/server.js'
import { dropIn, type Implementation, real } from '../implementations.js'
import { cookieOf, HOUR, idOf, type OldApp, oldApp, user } from './app.js'
import type { OldRecords, OldStoreKind } from './old-store.js'

interface VisitPlan {
  readonly name: string
  readonly options?: object
  /** Each with what the browser sees if nobody has forgotten anything. */
  readonly requests: readonly (readonly [path: string, seen: object])[]
}

const COMING_AND_GOING: VisitPlan['requests'] = [
  ['/count', { views: 1 }],
  ['/cart/coat', { items: 1 }],
  ['/', { views: 1, cart: { items: [{ name: 'coat' }] } }],
  ['/cart/hat', { items: 2 }],
  ['/count', { views: 2 }],
]

const VISITS: readonly VisitPlan[] = [
  {
    name: 'a visitor signs in twice',
    requests: [
      ['/login/ada', {}],
      ['/count', { views: 1 }],
      ['/cart/coat', { items: 1 }],
      ['/login/bob', {}],
      ['/', { user: user('bob'), cart: { items: [{ name: 'coat' }] } }],
    ],
  },
  { name: 'a visitor comes and goes', requests: COMING_AND_GOING },
  {
    name: 'a visitor has a cookie with every attribute',
    options: {
      cookie: {
        maxAge: HOUR,
        domain: 'shop.example',
        path: '/',
        httpOnly: false,
        secure: true,
        sameSite: 'none',
        partitioned: true,
        priority: 'high',
      },
    },
    requests: COMING_AND_GOING,
  },
  {
    name: 'a visitor has a cookie that ends with the browser',
    options: { cookie: {} },
    requests: COMING_AND_GOING,
  },
  {
    name: 'a visitor is remembered',
    requests: [
      ['/login/ada', {}],
      ['/remember', {}],
      ['/', { user: user('ada'), remembered: true }],
      ['/count', { views: 1 }],
      ['/', { user: user('ada'), remembered: true, views: 1 }],
    ],
  },
  {
    name: 'a visitor finds the old defaults',
    options: { resave: true, saveUninitialized: true, rolling: true },
    requests: [
      ['/', {}],
      ['/login/ada', {}],
      ['/', { user: user('ada') }],
      ['/count', { views: 1 }],
      ['/', { user: user('ada'), views: 1 }],
    ],
  },
]

/** What the drop-in works with on the records of an old store, in place of that. */
export interface Successor {
  readonly name: string
  open(records: OldRecords): Promise<{ readonly store: object; close(): Promise<void> }>
}

/**
 * Processes with express-session and with the drop-in serve the same visitors: both with the old
 * store, or the drop-in with its successor.
 */
export function oldStoreTurns(kind: OldStoreKind, successor?: Successor): void {
  const isHere = kind.server === undefined || hasServer(kind.server)
  const title = successor ? `${kind.name} and ${successor.name}` : kind.name
  describe.skipIf(!isHere)(`${title}, used in turns`, () => {
    let records: OldRecords
    let ours: Awaited<ReturnType<Successor['open']>> | undefined
    beforeAll(async () => {
      records = await kind.open()
      ours = await successor?.open(records)
    })
    afterAll(async () => {
      await ours?.close()
      await records?.close()
    })

    const start = (implementation: Implementation, options: object = {}) => {
      const theirs = implementation === real ? undefined : ours?.store
      return oldApp(implementation, theirs ?? records.store(implementation.session), options)
    }

    for (const { name, requests, options } of VISITS) {
      it(`${name}: in any order nobody can tell who answers`, async () => {
        // TLS ends at a proxy, where this visitor comes from.
        const settings = { proxy: true, ...options }
        const apps = [await start(real, settings), await start(dropIn, settings)] as const
        const expected = await visitBy(requests.map(() => apps[0]))
        for (let order = 1; order < 2 ** requests.length; order++) {
          const choices = requests.map((_, index) => ((order >> index) & 1) as 0 | 1)
          const found = await visitBy(choices.map((choice) => apps[choice]))
          const names = choices.map((choice) => (choice === 0 ? 'real' : 'ours'))
          expect(found, names.join(', ')).toEqual(expected)
        }

        /** What is stored after each request, and what its cookie says. */
        async function visitBy(order: readonly OldApp[]): Promise<unknown[]> {
          const jar = new CookieJar()
          const steps: unknown[] = []
          for (const [index, [path, seen]] of requests.entries()) {
            const app = order[index]!
            const browser = new CookieClient('https://www.shop.example', {
              connect: app.origin,
              headers: { 'x-forwarded-proto': 'https' },
              jar,
            })
            const answer = await browser.get(path)
            expect(answer.json(), `${path} of ${kind.name}`).toEqual(seen)
            await app.settled()
            steps.push({
              stored: maskedRecord(await records.textOf(idOf(browser))),
              cookies: answer.setCookies.map(maskedCookie),
            })
          }
          return steps
        }
      })
    }

    for (const who of ['writer', 'reader']) {
      it(`a sign-out at express-session is not undone by a slow ${who} at the drop-in`, async () => {
        const [theirs, ours] = [await start(real), await start(dropIn)]
        const ada = theirs.browser()
        await ada.get('/login/ada')
        const [id, old] = [idOf(ada), cookieOf(ada)]
        const slow = ours.browser().get(`/slow/${who}`, old)
        await ours.inside
        await ada.get('/logout')
        ours.go()
        expect(await slow).toMatchObject({ status: 200, setCookies: [] })
        await ours.settled()
        expect(await records.textOf(id)).toBeUndefined()
      })

      it(`a slow ${who} at the drop-in keeps what express-session stores meanwhile`, async () => {
        const [theirs, ours] = [await start(real), await start(dropIn)]
        const ada = theirs.browser()
        await ada.get('/cart/coat')
        const slow = ours.browser().get(`/slow/${who}`, cookieOf(ada))
        await ours.inside
        await ada.get('/cart/hat')
        await ada.get('/count')
        ours.go()
        await slow
        await ours.settled()
        for (const app of [theirs, ours]) {
          expect((await app.browser().get('/', cookieOf(ada))).json()).toEqual({
            cart: { items: [{ name: 'coat' }, { name: 'hat' }] },
            views: 1,
            ...(who === 'writer' && { late: true }),
          })
        }
      })
    }
  })
}

/** The text without what no two requests have in common. */
function maskedRecord(text: string | undefined): string | undefined {
  return text
    ?.replaceAll(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"a date"')
    .replaceAll(/"__lastAccess":\d+/g, '"__lastAccess":0')
    .replaceAll(/"originalMaxAge":(\d+)/g, (_, ms) => {
      // Between two looks at the clock some time may have passed.
      return `"originalMaxAge":"${Math.ceil(Number(ms) / 60_000)} minutes"`
    })
}

function maskedCookie(line: string): string {
  return line.replace(/^(connect\.sid=)[^;]+/, '$1').replace(/Expires=[^;]+/, 'Expires=')
}
