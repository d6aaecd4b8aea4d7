import * as http2 from 'node:http2'
import { connect } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { WebSocket } from 'ws'
import { CookieClient } from '../../src/testing/index.js'
import type { AnyData } from '../support/serve.js'
import {
  APP_NAMES,
  type AppName,
  HANDLER_COOKIES,
  hostOf,
  type ProxiedApps,
  startApps,
} from './proxied-apps.js'
import { hasProxy, type ProxyName, type RunningProxy, startProxy } from './proxies.js'

interface Page {
  readonly data: AnyData
  readonly forwardedProto: string
  readonly decided: boolean
}

const LIVE = { data: { userId: 'ada' } }
const PROXIES: readonly ProxyName[] = ['nginx', 'haproxy']

beforeEach(() => {
  const quiet = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  return () => quiet.mockRestore()
})

for (const proxyName of PROXIES) {
  describe.skipIf(!hasProxy(proxyName))(`behind ${proxyName}, which ends TLS`, () => {
    let started: ProxiedApps
    let proxy: RunningProxy
    beforeAll(async () => {
      started = await startApps()
      proxy = await startProxy(proxyName, started.backends)
    })
    afterAll(async () => {
      await proxy?.stop()
      await started?.close()
    })

    /** A browser at one of the applications. */
    const visitor = (name: AppName, scheme: 'http' | 'https' = 'https', headers = {}) =>
      new CookieClient(`${scheme}://${hostOf(name)}`, {
        connect: `${scheme}://127.0.0.1:${proxy[scheme]}`,
        rejectUnauthorized: false,
        headers,
      })

    /** What its browser would send of a visitor that is signed in. */
    const signedIn = async (name: AppName): Promise<string> => {
      const browser = visitor(name)
      await browser.get('/login')
      return browser.jar.header(`https://${hostOf(name)}/`)!
    }

    it.each<[AppName, string, boolean]>([
      ['trusting', '__Host-sid', true],
      ['untold', 'sid', false],
      ['plain', '__Host-sid', true],
      ['always', '__Host-sid', true],
    ])('%s: a visitor of https signs in, comes back and signs out', async (name, ...expected) => {
      const [cookie, secure] = expected
      const browser = visitor(name)
      const login = await browser.get('/login')
      expect(login.status).toBe(302)
      expect(login.setCookies).toEqual([
        ...HANDLER_COOKIES,
        expect.stringMatching(new RegExp(`^${cookie}=`)),
      ])
      expect(browser.jar.get(cookie)).toMatchObject({ secure, hostOnly: true, path: '/' })
      expect((await browser.get('/')).json()).toEqual({
        ...LIVE,
        forwardedProto: 'https',
        decided: name === 'trusting' || name === 'plain',
      })
      await browser.get('/logout')
      expect(browser.jar.get(cookie)).toBeUndefined()
      expect((await browser.get('/')).json()).toMatchObject({ data: {} })
    })

    it('warns once of a hop that nobody vouches for, and not of one that is trusted', async () => {
      for (const _ of [1, 2]) for (const name of APP_NAMES) await signedIn(name)
      const told = APP_NAMES.map((name) => [name, started.apps[name].warnings])
      expect(Object.fromEntries(told)).toEqual({
        trusting: [],
        untold: ['WARN_INSECURE_HOP'],
        plain: [],
        always: ['WARN_INSECURE_HOP'],
      })
    })

    it.each<AppName>(['trusting', 'untold', 'plain'])(
      '%s: a visitor of http who claims https in a header gets the cookie of http',
      async (name) => {
        const browser = visitor(name, 'http', {
          'X-Forwarded-Proto': 'https',
          Forwarded: 'for=203.0.113.9;proto=https',
        })
        const login = await browser.get('/login')
        expect(login.setCookies.at(-1)).toMatch(/^sid=(?!.*Secure)/)
        expect((await browser.get('/')).json()).toEqual({
          ...LIVE,
          forwardedProto: 'http',
          decided: false,
        })
      },
    )

    it.each<AppName>(['trusting', 'plain'])(
      '%s: a visitor of https who claims http in a header stays one of https',
      async (name) => {
        const browser = visitor(name, 'https', { 'X-Forwarded-Proto': 'http' })
        await browser.get('/login')
        expect(browser.jar.get('__Host-sid')).toBeDefined()
        expect((await browser.get('/')).json<Page>().forwardedProto).toBe('https')
      },
    )

    it.each<AppName>(['trusting', 'plain', 'always'])(
      '%s: a planted plain cookie opens nothing over https',
      async (name) => {
        const planted = `sid=${await started.apps[name].sessions.issue({ userId: 'eve' })}`
        const answer = await visitor(name).get('/', { headers: { cookie: planted } })
        expect(answer.json()).toMatchObject({ data: {} })
      },
    )

    it.each(APP_NAMES)('%s: an upgrade finds the session by the headers alone', async (name) => {
      const cookie = await signedIn(name)
      const { sessions } = started.apps[name]
      const planted = `sid=${await sessions.issue({ userId: 'eve' })}`
      expect(await greeting(proxy, name, cookie)).toBe('hello ada')
      if (name !== 'untold') {
        // The cookie of TLS counts before any other, also where nobody knows of TLS.
        expect(await greeting(proxy, name, `${planted}; ${cookie}`)).toBe('hello ada')
      }
      expect(await greeting(proxy, name, 'a=1')).toBe(401)
      const ada = await sessions.read({ headers: { cookie } })
      await ada?.destroy()
      expect(await greeting(proxy, name, cookie)).toBe(401)
    })

    it.each(APP_NAMES)(
      '%s: cookies of several lines, and large ones, are all read',
      async (name) => {
        const cookie = await signedIn(name)
        const mine = cookie.split('; ').find((pair) => pair.includes('sid='))!
        const large = `large=${'x'.repeat(6000)}`
        for (const lines of [
          ['a=1', mine, 'b=2'],
          [`${mine.split('=')[0]}=stale`, mine],
          [large, mine],
          [`${large}; ${mine}`],
        ]) {
          expect(await overTls(proxy, name, lines)).toMatchObject(LIVE)
        }
      },
    )

    it.each(APP_NAMES)('%s: HTTP/2 to the proxy, with its crumbs of cookies', async (name) => {
      const client = http2.connect(`https://127.0.0.1:${proxy.https}`, {
        rejectUnauthorized: false,
      })
      onTestFinished(() => client.destroy())
      const login = await overHttp2(client, name, '/login', [])
      const lines = login.cookies
      expect(lines.slice(0, 3)).toEqual(HANDLER_COOKIES)
      const crumbs = lines.map((line) => line.split(';')[0]!)
      const page = await overHttp2(client, name, '/', [
        `${crumbs.at(-1)!.split('=')[0]}=x`,
        ...crumbs,
      ])
      expect(JSON.parse(page.body)).toMatchObject(LIVE)
      expect(page.cookies).toEqual([])
    })
  })
}

/** The first message of a WebSocket, or the status that refused it. */
function greeting(proxy: RunningProxy, name: AppName, cookie: string): Promise<string | number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://127.0.0.1:${proxy.https}/`, {
      rejectUnauthorized: false,
      headers: { host: hostOf(name), cookie },
    })
    socket.once('error', reject)
    socket.once('message', (message) => {
      resolve(String(message))
      socket.close()
    })
    socket.once('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0)
      request.destroy()
    })
  })
}

/** HTTP/1.1 by hand, with one header line for each text. */
async function overTls(
  proxy: RunningProxy,
  name: AppName,
  cookies: readonly string[],
): Promise<unknown> {
  const socket = connect({ port: proxy.https, host: '127.0.0.1', rejectUnauthorized: false })
  const lines = cookies.map((cookie) => `Cookie: ${cookie}\r\n`).join('')
  socket.write(`GET / HTTP/1.1\r\nHost: ${hostOf(name)}\r\nConnection: close\r\n${lines}\r\n`)
  let text = ''
  for await (const chunk of socket.setEncoding('utf8')) text += chunk
  expect(text).toMatch(/^HTTP\/1\.1 200 /)
  return JSON.parse(/\{.*\}/s.exec(text)![0])
}

async function overHttp2(
  client: http2.ClientHttp2Session,
  name: AppName,
  path: string,
  crumbs: readonly string[],
): Promise<{ cookies: string[]; body: string }> {
  const stream = client.request({
    ':path': path,
    ':authority': hostOf(name),
    cookie: crumbs as unknown as string,
  })
  let cookies: string[] = []
  stream.on('response', (headers) => {
    cookies = headers['set-cookie'] ?? []
  })
  let body = ''
  for await (const chunk of stream.setEncoding('utf8')) body += chunk
  return { cookies, body }
}
