import { createServer as createHttp, type RequestListener } from 'node:http'
import * as http2 from 'node:http2'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import express from 'express'
import express4 from 'express4'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore, type SessionManager, session } from '../../src/index.js'
import { CookieClient } from '../../src/testing/index.js'
import { type AnyData, SECRET } from '../support/serve.js'
import { TEST_CERTIFICATE } from '../support/tls.js'
import { WatchedStore } from '../support/watched-store.js'

/** What the handlers of every host do. */
function answer(
  sessions: SessionManager<AnyData>,
  req: { url?: string | undefined },
  res: Answer,
): void {
  const current = sessions.of(req).session
  if (req.url === '/login') {
    current.userId = 1
    res.writeHead(302, { location: '/' })
    res.end()
  } else res.end(JSON.stringify(current))
}

interface Answer {
  writeHead(status: number, headers: { location: string }): unknown
  end(body?: string): unknown
}

type Handler = Parameters<typeof createHttp>[1]

/** A plain node:http handler: `next` takes no argument, so failures are answered by the library. */
function plain(sessions: SessionManager<AnyData>): Handler & RequestListener {
  return (req, res) => sessions(req, res, () => answer(sessions, req, res))
}

const hosts: [string, boolean, (sessions: SessionManager<AnyData>) => RequestListener, boolean][] =
  [
    ['Express 5', false, (sessions) => expressApp(express(), sessions), true],
    [
      'Express 4',
      false,
      (sessions) => expressApp(express4() as unknown as express.Express, sessions),
      true,
    ],
    ['node:http', false, plain, false],
    ['node:https', true, plain, false],
  ]

function expressApp(app: express.Express, sessions: SessionManager<AnyData>): express.Express {
  app.use(sessions)
  app.use((req, res) => answer(sessions, req, res))
  const onError: express.ErrorRequestHandler = (_error, _req, res, _next) => {
    res.status(500).send('error page')
  }
  app.use(onError)
  return app
}

async function listen(tls: boolean, listener: RequestListener): Promise<string> {
  const server = tls ? createHttps(TEST_CERTIFICATE, listener) : createHttp(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe.each(hosts)('on %s', (_name, tls, host, hasErrorPage) => {
  it('a sign-in is stored before the redirect leaves', async () => {
    const store = new WatchedStore(new MemoryStore())
    const sessions = session<AnyData>({ secret: SECRET, store })
    const origin = await listen(tls, host(sessions))
    const browser = new CookieClient(origin, { rejectUnauthorized: false })
    store.delay(30)
    const followed = await browser.request('/login', { redirect: 'follow' })
    expect(followed.json()).toEqual({ userId: 1 })
    expect(browser.jar.get(tls ? '__Host-sid' : 'sid')).toBeDefined()
  })

  it('a failed store gives 500 and no cookie', async () => {
    const store = new WatchedStore(new MemoryStore())
    const sessions = session<AnyData>({ secret: SECRET, store })
    const origin = await listen(tls, host(sessions))
    store.fail('create')
    const failed = await new CookieClient(origin, { rejectUnauthorized: false }).get('/login')
    expect(failed.status).toBe(500)
    expect(failed.setCookies).toEqual([])
    expect(failed.headers.location).toBeUndefined()
    expect(failed.text()).toBe(hasErrorPage ? 'error page' : 'Internal Server Error')
  })
})

describe('on HTTP/2', () => {
  it('a sign-in is stored before the redirect leaves, and the cookie is the secure one', async () => {
    const store = new WatchedStore(new MemoryStore())
    const sessions = session<AnyData>({ secret: SECRET, store })
    const server = http2.createSecureServer(TEST_CERTIFICATE, (req, res) =>
      sessions(req, res, () => answer(sessions, req, res as unknown as Answer)),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const client = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
    onTestFinished(() => {
      client.destroy()
      server.close()
    })
    const get = (path: string, cookie?: string) =>
      new Promise<{ status: number; cookies: string[]; body: string }>((resolve, reject) => {
        const stream = client.request({
          ':path': path,
          ...(cookie === undefined ? {} : { cookie }),
        })
        let status = 0
        let cookies: string[] = []
        let body = ''
        stream.on('response', (headers) => {
          status = Number(headers[':status'])
          cookies = headers['set-cookie'] ?? []
        })
        stream.setEncoding('utf8')
        stream.on('data', (chunk) => {
          body += chunk
        })
        stream.on('end', () => resolve({ status, cookies, body }))
        stream.on('error', reject)
      })
    store.delay(30)
    const login = await get('/login')
    expect(login.status).toBe(302)
    expect(login.cookies[0]).toMatch(/^__Host-sid=.*; Secure/)
    const page = await get('/', login.cookies[0]?.split(';')[0])
    expect(JSON.parse(page.body)).toEqual({ userId: 1 })
    expect(page.cookies).toEqual([])
  })
})

describe('behind a proxy that ends TLS', () => {
  let warnings: string[] = []
  const app = (trust: boolean) => {
    warnings = []
    const sessions = session<AnyData>({ secret: SECRET })
    sessions.on('warning', ({ code }) => warnings.push(code))
    const made = expressApp(express(), sessions)
    if (trust) made.set('trust proxy', 1)
    return made
  }
  const headers = { 'x-forwarded-proto': 'https' }

  it('the cookie is the secure one if Express trusts the proxy', async () => {
    const origin = await listen(false, app(true))
    const browser = new CookieClient('https://shop.example', { connect: origin, headers })
    await browser.get('/login')
    expect(browser.jar.get('__Host-sid')).toBeDefined()
    expect((await browser.get('/')).json()).toEqual({ userId: 1 })
    expect(warnings).toEqual([])
  })

  it('the option trustProxy does the same for hosts without such a setting', async () => {
    const sessions = session<AnyData>({ secret: SECRET, trustProxy: true })
    const origin = await listen(false, plain(sessions))
    const browser = new CookieClient('https://shop.example', { connect: origin, headers })
    await browser.get('/login')
    expect(browser.jar.get('__Host-sid')).toBeDefined()
  })

  it('the plain cookie is used, and still works, if nobody trusts the proxy', async () => {
    const origin = await listen(false, app(false))
    const browser = new CookieClient('https://shop.example', { connect: origin, headers })
    await browser.get('/login')
    expect(browser.jar.get('sid')).toBeDefined()
    expect((await browser.get('/')).json()).toEqual({ userId: 1 })
    expect(warnings).toEqual(['WARN_INSECURE_HOP'])
  })
})
