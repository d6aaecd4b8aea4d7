import { createServer, type RequestListener } from 'node:http'
import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore, type SessionManager, session as sessionsWith } from '../../src/index.js'
import { request, session, shapes as shapes2 } from '../http/http2.js'
import { exchange, get, listen, RawClient, serve } from '../http/raw-http.js'
import { requests, type Shape, shapes } from '../http/response-shapes.js'
import { type AnyData, SECRET } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const all: Record<string, Shape> = {
  ...shapes,
  'a piped stream': (res) => Readable.from(['one', 'two', 'three']).pipe(res),
  'an error of the client': (res) => void res.writeHead(404).end('nothing here'),
  'an error of the server': (res) => void res.writeHead(500).end('broken'),
}

function made() {
  const store = new WatchedStore(new MemoryStore())
  const sessions = sessionsWith<AnyData>({ secret: SECRET, store })
  onTestFinished(() => sessions.close())
  return { store, sessions }
}

/** A server whose handlers look at the session, or change it, and then answer. */
function serveWith(
  sessions: SessionManager<AnyData>,
  answer: Shape,
  touch: (data: AnyData) => unknown,
): Promise<number> {
  return serve((req, res) =>
    sessions(req, res, () => {
      touch(sessions.of(req).session)
      answer(res)
    }),
  )
}

const read = (data: AnyData) => data.cart
const change = (data: AnyData) => {
  data.cart = 'changed'
}

const withCookie = (text: string, token: string) =>
  text.replace('Host: a\n', `Host: a\nCookie: sid=${token}\n`)

/** The bytes without the lines that a session may add, and those lines. */
function apart(text: string): { bytes: string; added: string[] } {
  const added: string[] = []
  const bytes = text.replace(/^(?:vary|cache-control|set-cookie: sid=).*\r\n/gim, (line) => {
    added.push(line.toLowerCase().replace(/sid=[^;]+(;.*)?\r\n|\r\n/, ''))
    return ''
  })
  return { bytes, added: added.sort() }
}

describe.each(Object.entries(all))('%s', (name, answer) => {
  const asked = Object.entries(requests)

  it.each(asked)('with a session only read differs in Vary over %s', async (_, text) => {
    const plain = await exchange(await serve((_, res) => answer(res)), text)
    const { sessions, store } = made()
    const token = await sessions.issue({ cart: 'kept' })
    store.calls.length = 0
    const port = await serveWith(sessions, answer, read)
    const { bytes, added } = apart(await exchange(port, withCookie(text, token)))
    expect(bytes).toBe(plain)
    expect(added).toEqual(['vary: cookie'])
    expect(store.calls).toEqual(['load'])
  })

  it.each(asked)('starts a session over %s, and says so in three lines', async (_, text) => {
    const plain = await exchange(await serve((_, res) => answer(res)), text)
    const { sessions, store } = made()
    const port = await serveWith(sessions, answer, change)
    const create = store.pause('create')
    const client = new RawClient(port).send(text)
    await create.reached
    // Hints are no response yet, and may come.
    if (name !== 'early hints first') expect(client.text).toBe('')
    create.resume()
    await client.closed
    const { bytes, added } = apart(client.text.replace(/Date: [^\r]+/g, 'Date: now'))
    expect(bytes).toBe(plain)
    expect(added).toEqual(['cache-control: no-store', 'set-cookie: ', 'vary: cookie'])
    const token = /sid=([^;]+)/i.exec(client.text.slice(client.text.search(/set-cookie: sid=/i)))
    const stored = await sessions.read({ headers: { cookie: `sid=${token?.[1]}` } })
    expect(stored).toEqual({ cart: 'changed' })
    expect(store.count('create')).toBe(1)
  })
})

describe.each(Object.entries(shapes2))('%s over HTTP/2', (_, answer) => {
  it.each(['GET', 'HEAD'])('is answered to %s with what the session adds', async (method) => {
    const plain = await request(await session((_, res) => answer(res)), method)
    const { sessions, store } = made()
    const token = await sessions.issue({ cart: 'kept' })
    let touch: (data: AnyData) => unknown = read
    const client = await session((req, res) =>
      sessions(req as never, res as never, () => {
        touch(sessions.of(req).session)
        answer(res)
      }),
    )
    const cookie = { cookie: `sid=${token}` }
    expect(await request(client, method, cookie)).toEqual({
      ...plain,
      headers: { ...plain.headers, vary: 'Cookie' },
    })
    touch = change
    store.delay(1)
    const { headers, ...others } = await request(client, method)
    expect({ headers, ...others }).toEqual({
      ...plain,
      headers: {
        ...plain.headers,
        vary: 'Cookie',
        'cache-control': 'no-store',
        'set-cookie': [
          ...(plain.headers['set-cookie'] ?? []),
          expect.stringMatching(/^sid=.*; Path=\/; HttpOnly; SameSite=Lax$/),
        ],
      },
    })
    const sent = headers['set-cookie']?.at(-1)?.split(';')[0]
    expect(await sessions.read({ headers: { cookie: sent } })).toEqual({ cart: 'changed' })
  })
})

describe('a response of whatever status', () => {
  it.each([200, 204, 302, 304, 401, 404, 500, 503])('%i stores the session', async (status) => {
    const { sessions, store } = made()
    const token = await sessions.issue({ cart: 'kept' })
    const port = await serveWith(sessions, (res) => void res.writeHead(status).end(), change)
    await exchange(port, withCookie(get(), token))
    expect(store.count('replace')).toBe(1)
    const stored = await sessions.read({ headers: { cookie: `sid=${token}` } })
    expect(stored).toEqual({ cart: 'changed' })
  })
})

describe('a request that expects 100-continue', () => {
  it.each(['Node', 'the handler'])('is told by %s to go on, while no response is', async (who) => {
    const { sessions, store } = made()
    const create = store.pause('create')
    const handle: RequestListener = (req, res) =>
      sessions(req, res, () => {
        if (who === 'the handler') res.writeContinue()
        sessions.of(req).session.cart = 1
        req.resume().on('end', () => res.end('done'))
      })
    const server = createServer(handle)
    if (who === 'the handler') server.on('checkContinue', handle)
    const port = await listen(server)
    const client = new RawClient(port)
    client.send(get('/', 'Expect: 100-continue\nContent-Length: 4\n', 'POST'))
    await client.until('100 Continue')
    client.send('body')
    await create.reached
    expect(client.text).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    create.resume()
    await client.closed
    expect(client.text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 100', 'HTTP/1.1 200'])
    expect(client.text).toMatch(/set-cookie: sid=/i)
  })
})
