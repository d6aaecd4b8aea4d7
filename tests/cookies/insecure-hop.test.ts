import type { RequestListener } from 'node:http'
import express from 'express'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type Explanation, type SessionManager, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET } from '../support/serve.js'
import { bothServers } from './two-servers.js'

const emitted = vi.hoisted(() => ({ warnings: [] as string[] }))
beforeEach(() => {
  emitted.warnings = []
  const spy = vi.spyOn(process, 'emitWarning').mockImplementation((warning) => {
    emitted.warnings.push(String(warning))
  })
  return () => spy.mockRestore()
})

type Host = 'Express' | 'node:http'
type Setting = 'auto' | true | false

interface Case {
  readonly host: Host
  readonly setting: Setting
  readonly tls: boolean
  readonly header: 'http' | 'https' | undefined
  readonly trust: boolean
}

/** Two sign-ins, as the matrix describes them. */
async function twoSignIns({ host, setting, tls, header, trust }: Case) {
  const clock = new FakeClock()
  const sessions = session<AnyData>({
    secret: SECRET,
    clock,
    cookie: { secure: setting },
    trustProxy: trust && host === 'node:http',
  })
  const codes: string[] = []
  sessions.on('warning', ({ code }) => codes.push(code))
  const explained: Explanation[] = []
  const handle = (req: object, res: { end(): unknown; on: NodeJS.EventEmitter['on'] }) => {
    sessions.of(req).session.userId = 'ada'
    res.on('close', () => explained.push(sessions.explain(req)!))
    res.end()
  }
  const ports = await bothServers(
    host === 'Express'
      ? appOf(sessions, trust, handle)
      : (req, res) => sessions(req, res, () => handle(req, res)),
  )
  const scheme = tls ? 'https' : 'http'
  const cookies: string[] = []
  for (const _ of [1, 2]) {
    const visitor = new CookieClient(`${scheme}://127.0.0.1:${ports[scheme]}`, {
      clock,
      rejectUnauthorized: false,
    })
    const headers = header === undefined ? {} : { 'x-forwarded-proto': header }
    cookies.push(...(await visitor.get('/', { headers })).setCookies)
  }
  await vi.waitFor(() => expect(explained).toHaveLength(2))
  return { cookies, codes, explanation: explained[1]! }
}

function appOf(
  sessions: SessionManager<AnyData>,
  trust: boolean,
  handle: (req: express.Request, res: express.Response) => void,
): RequestListener {
  const app = express()
  if (trust) app.set('trust proxy', 'loopback')
  return app.use(sessions).use(handle)
}

const SECURE = /^__Host-sid=.*; Secure/
const PLAIN = /^sid=(?!.*Secure)/
const NO: readonly boolean[] = [false]
const BOTH: readonly boolean[] = [true, false]
const ANY = [undefined, 'http', 'https'] as const
const NOT_HTTPS = [undefined, 'http'] as const

/** The setting, TLS here, X-Forwarded-Proto, its sender trusted: the cookie, and what is amiss. */
const matrix: [Setting, boolean, readonly Case['header'][], readonly boolean[], RegExp, boolean][] =
  [
    ['auto', true, ANY, BOTH, SECURE, false],
    ['auto', false, NOT_HTTPS, BOTH, PLAIN, false],
    ['auto', false, ['https'], [true], SECURE, false],
    ['auto', false, ['https'], NO, PLAIN, true],
    [true, true, ANY, BOTH, SECURE, false],
    [true, false, NOT_HTTPS, BOTH, SECURE, true],
    [true, false, ['https'], [true], SECURE, false],
    [true, false, ['https'], NO, SECURE, true],
    [false, true, ANY, BOTH, PLAIN, false],
    [false, false, ANY, BOTH, PLAIN, false],
  ]

const cases = matrix.flatMap(([setting, tls, headers, trusts, cookie, amiss]) =>
  (['Express', 'node:http'] as const).flatMap((host) =>
    headers.flatMap((header) =>
      trusts.map((trust) => ({ host, setting, tls, header, trust, cookie, amiss })),
    ),
  ),
)

describe('a sign-in', () => {
  it('is tried in every combination', () => {
    expect(cases).toHaveLength(2 * 3 * 2 * 3 * 2)
  })

  it.each(cases)(
    'on $host with secure: $setting, TLS: $tls, a proxy that says $header, trusted: $trust',
    async ({ cookie, amiss, ...given }) => {
      const { cookies, codes, explanation } = await twoSignIns(given)
      expect(cookies).toEqual([expect.stringMatching(cookie), expect.stringMatching(cookie)])
      expect(codes).toEqual(amiss ? ['WARN_INSECURE_HOP'] : [])
      expect(emitted.warnings).toHaveLength(codes.length)
      expect(explanation).toMatchObject({
        cookie: {
          action: 'set',
          reason: amiss ? 'insecure-hop' : 'changed',
          name: cookie === SECURE ? '__Host-sid' : 'sid',
          attributes: { secure: cookie === SECURE },
        },
        secure: {
          decided: given.tls || (given.header === 'https' && given.trust),
          socket: given.tls,
          forwardedProto: given.header,
          trusted: given.trust,
        },
      })
    },
  )
})

describe('the warning about a hop', () => {
  const plain = { host: 'Express', tls: false } as const

  it.each<[Omit<Case, 'host' | 'tls'>, string]>([
    [
      { setting: true, header: undefined, trust: false },
      'looks like plain http (X-Forwarded-Proto: none, not trusted)',
    ],
    [
      { setting: true, header: 'http', trust: true },
      'looks like plain http (X-Forwarded-Proto: http, trusted)',
    ],
    [
      { setting: 'auto', header: 'https', trust: false },
      'came by https (X-Forwarded-Proto: https, not trusted), so the cookie was sent without Secure',
    ],
  ])('for %j names protocol, header and trust: %s', async (given, named) => {
    await twoSignIns({ ...plain, ...given })
    expect(emitted.warnings).toEqual([expect.stringContaining(named)])
    expect(emitted.warnings[0]).toMatch(/"trust proxy".* trustProxy/)
  })

  it('shows nothing that a visitor has written', async () => {
    const header = 'a line of the visitor' as 'http'
    await twoSignIns({ ...plain, setting: true, header, trust: true })
    expect(emitted.warnings).toHaveLength(1)
    expect(emitted.warnings[0]).not.toContain('visitor')
  })
})

describe('the proxies of a chain', () => {
  it.each<[string, boolean]>([
    ['https, http', true],
    ['HTTPS', true],
    ['http, https', false],
    ['httpsx', false],
    ['', false],
    ['wss', false],
  ])(
    'say %j, and the first of them tells whether the visitor came by https: %s',
    async (...row) => {
      const [header, secure] = row
      const { cookies } = await twoSignIns({
        host: 'node:http',
        setting: 'auto',
        tls: false,
        header: header as 'https',
        trust: true,
      })
      expect(cookies[0]).toMatch(secure ? SECURE : PLAIN)
    },
  )

  it.each(['Express', 'node:http'] as const)(
    'are not believed by another header on %s: who sets the one need not remove the other',
    async (host) => {
      const sessions = session<AnyData>({ secret: SECRET, trustProxy: host === 'node:http' })
      const handle = (req: object, res: { end(): unknown }) => {
        sessions.of(req).session.userId = 'ada'
        res.end()
      }
      const ports = await bothServers(
        host === 'Express'
          ? appOf(sessions, true, handle)
          : (req, res) => sessions(req, res, () => handle(req, res)),
      )
      const visitor = new CookieClient(`http://127.0.0.1:${ports.http}`)
      const headers = {
        Forwarded: 'for=203.0.113.9;proto=https',
        'X-Forwarded-Ssl': 'on',
        'X-Forwarded-Scheme': 'https',
        'Front-End-Https': 'on',
      }
      expect((await visitor.get('/', { headers })).setCookies).toEqual([
        expect.stringMatching(PLAIN),
      ])
    },
  )
})
