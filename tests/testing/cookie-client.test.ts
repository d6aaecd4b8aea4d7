import * as http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CookieClient, FakeClock } from '../../src/testing/index.js'

const sockets: Socket[] = []
const server = http.createServer(answer)
let origin: string

beforeAll(async () => {
  server.on('connection', (socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

describe('CookieClient', () => {
  it('sends back what it was set, and shows each Set-Cookie line', async () => {
    const browser = new CookieClient(origin)
    const first = await browser.get('/set?line=a%3D1&line=b%3D2%3B%20Path%3D/')
    expect(first.status).toBe(200)
    expect(first.setCookies).toEqual(['a=1', 'b=2; Path=/'])
    expect(await seen(browser)).toMatchObject({ cookie: 'a=1; b=2' })
    expect(browser.jar.get('a')?.value).toBe('1')
  })

  it('is a browser of its own', async () => {
    const [ada, eve] = [new CookieClient(origin), new CookieClient(origin)]
    await ada.get('/set?line=sid%3Dada')
    expect(await seen(eve)).not.toHaveProperty('cookie')
    expect(await seen(ada)).toMatchObject({ cookie: 'sid=ada' })
  })

  it('clones into a browser with a stolen jar', async () => {
    const victim = new CookieClient(origin)
    await victim.get('/set?line=sid%3D1')
    const thief = victim.clone()
    await victim.get('/set?line=sid%3D2')
    expect(await seen(thief)).toMatchObject({ cookie: 'sid=1' })
    expect(await seen(victim)).toMatchObject({ cookie: 'sid=2' })
  })

  it('forgets session cookies when it is restarted, and others in time', async () => {
    const clock = new FakeClock()
    const browser = new CookieClient(origin, { clock })
    await browser.get('/set?line=session%3D1&line=lasting%3D1%3B%20Max-Age%3D60')
    browser.dropSessionCookies()
    expect(await seen(browser)).toMatchObject({ cookie: 'lasting=1' })
    await clock.advance(60_000)
    expect(await seen(browser)).not.toHaveProperty('cookie')
  })

  it('posts JSON, a form, text and bytes', async () => {
    const browser = new CookieClient(origin)
    const post = async (body: string | object) => (await browser.post('/echo', { body })).json()
    expect(await post({ a: 'ä' })).toMatchObject({
      method: 'POST',
      type: 'application/json',
      body: '{"a":"ä"}',
    })
    expect(await post(new URLSearchParams({ a: '1 2' }))).toMatchObject({
      type: 'application/x-www-form-urlencoded',
      body: 'a=1+2',
    })
    expect(await post('text')).toMatchObject({ body: 'text' })
    expect(await post(Buffer.from('bytes'))).toMatchObject({ body: 'bytes' })
  })

  it('lets a request name its own headers, its cookie among them', async () => {
    const browser = new CookieClient(origin, { headers: { 'X-Always': 'yes', 'X-Both': 'no' } })
    await browser.get('/set?line=sid%3D1')
    const headers = { Cookie: 'sid=forged', 'x-both': 'own' }
    expect((await browser.get('/headers', { headers })).json()).toMatchObject({
      cookie: 'sid=forged',
      'x-always': 'yes',
      'x-both': 'own',
    })
  })

  it('stays where it is unless told to follow', async () => {
    const browser = new CookieClient(origin)
    const response = await browser.get('/redirect?status=302&to=/headers')
    expect(response.status).toBe(302)
    expect(response.headers.location).toBe('/headers')
  })

  it('follows with the cookies just received', async () => {
    const browser = new CookieClient(origin)
    const path = '/redirect?status=302&to=/headers&line=sid%3Dnew%3B%20Path%3D/'
    const response = await browser.post(path, { body: { a: 1 }, redirect: 'follow' })
    expect(response.url).toBe(`${origin}/headers`)
    expect(response.json()).toMatchObject({ cookie: 'sid=new' })
  })

  it.each([
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [302, 'PUT', 'PUT'],
    [303, 'PUT', 'GET'],
    [307, 'POST', 'POST'],
    [308, 'POST', 'POST'],
  ])('after a %i a %s becomes a %s', async (status, method, then) => {
    const browser = new CookieClient(origin)
    const response = await browser.request(`/redirect?status=${status}&to=/echo`, {
      method,
      body: { a: 1 },
      redirect: 'follow',
    })
    const kept = { type: 'application/json', body: '{"a":1}' }
    expect(response.json()).toEqual({ method: then, ...(then === 'GET' ? { body: '' } : kept) })
  })

  it('gives up in a circle of redirects', async () => {
    const browser = new CookieClient(origin)
    const path = `/redirect?status=302&to=${encodeURIComponent('/circle')}`
    await expect(browser.get(path, { redirect: 'follow' })).rejects.toThrow('more than 20')
  })

  it('takes no credentials along to another origin', async () => {
    const browser = new CookieClient('http://a.test', { connect: origin })
    await browser.get('/set?line=sid%3D1')
    const to = encodeURIComponent('http://b.test/headers')
    const response = await browser.get(`/redirect?status=302&to=${to}`, {
      headers: { authorization: 'Bearer x', 'x-other': 'y' },
      redirect: 'follow',
    })
    expect(response.json()).toMatchObject({ host: 'b.test', 'x-other': 'y' })
    expect(response.json()).not.toHaveProperty('cookie')
    expect(response.json()).not.toHaveProperty('authorization')
  })

  it('is on https in front of a plain hop, where Secure and __Host- cookies live', async () => {
    const path = `/set?line=${encodeURIComponent('__Host-sid=1; Path=/; Secure')}`
    const plain = new CookieClient(origin)
    await plain.get(path)
    expect(plain.jar.size).toBe(0)

    const proxied = new CookieClient('https://shop.test', { connect: origin })
    await proxied.get(path)
    expect(await seen(proxied)).toMatchObject({ cookie: '__Host-sid=1', host: 'shop.test' })
  })

  it('reuses a connection only when told to keep it', async () => {
    sockets.length = 0
    const [kept, single] = [new CookieClient(origin, { keepAlive: true }), new CookieClient(origin)]
    for (let i = 0; i < 3; i++) await kept.get('/headers')
    expect(sockets).toHaveLength(1)
    for (let i = 0; i < 3; i++) await single.get('/headers')
    expect(sockets).toHaveLength(4)
    kept.close()
  })

  it('shows each request before it is sent, redirects included', async () => {
    const paths: string[] = []
    const browser = new CookieClient(origin, { onRequest: ({ path }) => paths.push(path) })
    await browser.get('/redirect?status=302&to=/headers', { redirect: 'follow' })
    expect(paths).toEqual(['/redirect?status=302&to=/headers', '/headers'])
  })

  it('rejects when the response breaks off, and keeps the cookies of its headers', async () => {
    const browser = new CookieClient(origin)
    await expect(browser.get('/torn')).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(browser.jar.get('sid')?.value).toBe('torn')
  })

  it('can be aborted', async () => {
    const abort = new AbortController()
    const browser = new CookieClient(origin, { onRequest: () => abort.abort() })
    const aborted = browser.get('/headers', { signal: abort.signal })
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
  })
})

async function seen(browser: CookieClient): Promise<http.IncomingHttpHeaders> {
  return (await browser.get('/headers')).json()
}

/** `set`, `redirect`, `headers`, `echo`, `torn`, by the first part of the path. */
function answer(req: http.IncomingMessage, res: http.ServerResponse): void {
  const url = new URL(req.url ?? '/', 'http://server')
  const { searchParams: query, pathname } = url
  const lines = query.getAll('line')
  if (lines.length > 0) res.setHeader('Set-Cookie', lines)

  if (pathname === '/redirect' || pathname === '/circle') {
    res.statusCode = Number(query.get('status') ?? 302)
    res.setHeader('Location', query.get('to') ?? '/circle')
    res.end()
  } else if (pathname === '/headers') {
    res.end(JSON.stringify(req.headers))
  } else if (pathname === '/torn') {
    res.writeHead(200, { 'Set-Cookie': 'sid=torn', 'Content-Length': 100 })
    res.write('some', () => res.destroy())
  } else if (pathname === '/echo') {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      res.end(JSON.stringify({ method: req.method, type: req.headers['content-type'], body }))
    })
  } else {
    res.end()
  }
}
