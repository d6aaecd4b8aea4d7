import { EventEmitter, once } from 'node:events'
import { connect, createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as http2 from '../http/http2.js'
import { exchange, get, RawClient } from '../http/raw-http.js'
import { SECRET } from '../support/secret.js'
import { TEST_CERTIFICATE } from '../support/tls.js'
import { gate, turns } from '../support/turns.js'
import { type HandStore, handStore, held } from './hand-store.js'
import { dropIn } from './implementations.js'
import { at, cookieFor, program, recordOf } from './program.js'

type Middleware = (req: object, res: object, next: (error?: unknown) => void) => void

function middleware(store: HandStore, options: object = {}): Middleware {
  return dropIn.session({
    secret: SECRET,
    store,
    resave: false,
    saveUninitialized: false,
    ...options,
  })
}

function keptData(store: HandStore): object[] {
  return [...store.kept.values()].map((text) => {
    const { cookie: _, ...data } = JSON.parse(text)
    return data
  })
}

/** Answers a request in a shape, with a new session or a changed one. */
function answerIn(use: Middleware, shape: (res: never) => void) {
  return (req: object, res: object) => {
    use(req, res, () => {
      at(req as never).session.user = 'bob'
      shape(res as never)
    })
  }
}

describe('over HTTP/2', () => {
  it.each(Object.entries(http2.shapes))(
    '%s stores a session and sends its cookie',
    async (_, shape) => {
      const store = handStore(dropIn)
      const client = await http2.session(answerIn(middleware(store), shape))
      const { headers, reset } = await http2.request(client)
      expect(headers['set-cookie']?.at(-1)).toMatch(/^connect\.sid=s%3A/)
      expect(keptData(store)).toEqual([{ user: 'bob' }])
      expect(reset).toBe(0)
    },
  )

  it.each(Object.entries(http2.shapes))('%s answers a HEAD', async (_, shape) => {
    const store = handStore(dropIn)
    store.kept.set('id', recordOf({ user: 'ada' }))
    const client = await http2.session(answerIn(middleware(store), shape))
    const { body, reset } = await http2.request(client, 'HEAD', { cookie: cookieFor('id') })
    expect([body, reset]).toEqual(['', 0])
    expect(keptData(store)).toEqual([{ user: 'bob' }])
  })

  it('a TLS connection is a secure one', async () => {
    const use = middleware(handStore(dropIn), { cookie: { secure: true } })
    const server = createSecureServer(
      TEST_CERTIFICATE,
      answerIn(use, (res: { end(): void }) => res.end()),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, {
      rejectUnauthorized: false,
    })
    onTestFinished(() => {
      client.destroy()
      server.close()
    })
    const { headers } = await http2.request(client)
    expect(headers['set-cookie']).toEqual([expect.stringMatching(/; Secure$/)])
  })
})

describe('a second end', () => {
  it('is ignored, as is what is written after the first', async () => {
    const { port, store } = await program({
      '/two': (req, res) => {
        at(req).session.user = 'ada'
        res.end('first')
        res.end('second')
      },
    })
    const text = await exchange(port, get('/two'))
    expect(text).toMatch(/\r\n\r\nfirst$/)
    expect(store.taken()).toEqual(['set'])
  })

  it('does nothing where there is nothing to store either', async () => {
    const seen: unknown[] = []
    const { port } = await program({
      '/two': (_req, res) => {
        res.end('first')
        seen.push(res.end('second'))
      },
    })
    expect(await exchange(port, get('/two'))).toMatch(/\r\n\r\nfirst$/)
    expect(seen).toEqual([false])
  })
})

describe('a response that is none', () => {
  const request = (cookie?: string) => ({ url: '/', headers: { cookie }, socket: {} })

  it('of one method stores a session once its end is called', async () => {
    const store = handStore(dropIn)
    const req = request()
    const res = { end() {} }
    await new Promise<void>((resolve) => middleware(store)(req, res, () => resolve()))
    at(req as never).session.user = 'ada'
    res.end()
    await turns()
    expect(keptData(store)).toEqual([{ user: 'ada' }])
  })

  it('is changed, touched and ended by its methods alone otherwise', async () => {
    const store = handStore(dropIn)
    store.kept.set('id', recordOf({ user: 'ada' }))
    const req = request(cookieFor('id'))
    const res = { end() {} }
    const errors: unknown[] = []
    await new Promise<void>((resolve) => {
      middleware(store)(req, res, (error) => {
        errors.push(error)
        resolve()
      })
    })
    at(req as never).session.user = 'bob'
    await turns()
    expect(keptData(store)).toEqual([{ user: 'ada' }])
    await at(req as never).session.save()
    expect(keptData(store)).toEqual([{ user: 'bob' }])
    expect(errors).toEqual([undefined])
  })

  it('gets the cookie of an upgrade by its writeHead, one and no other', async () => {
    const headers: Record<string, unknown> = {}
    const upgrade = () =>
      Object.assign(new EventEmitter(), {
        setHeader: (name: string, value: unknown) => {
          headers[name] = value
        },
        getHeader: (name: string) => headers[name],
        removeHeader: (name: string) => Reflect.deleteProperty(headers, name),
        write() {},
        writeHead() {},
        end() {},
      })
    const store = handStore(dropIn)
    const use = middleware(store, { saveUninitialized: true })
    const res = upgrade()
    await new Promise<void>((resolve) => use(request(), res, () => resolve()))
    res.writeHead()
    expect([headers['Set-Cookie']].flat()).toEqual([expect.stringMatching(/^connect\.sid=s%3A/)])
    headers['Set-Cookie'] = 'io=1'
    const other = upgrade()
    await new Promise<void>((resolve) => use(request(), other, () => resolve()))
    other.writeHead()
    expect(headers['Set-Cookie']).toBe('io=1')
  })
})

describe('close()', () => {
  it('waits for the requests that run, and refuses those that follow', async () => {
    const [inside, door] = [gate(), gate()]
    const {
      store,
      middleware: sessions,
      browser,
      errors,
    } = await program({
      '/slow': async (req, res) => {
        inside.open()
        await door.opened
        at(req).session.user = 'ada'
        res.json({})
      },
    })
    const slow = browser().get('/slow')
    await inside.opened
    let isClosed = false
    const closed = sessions.close().then(() => {
      isClosed = true
    })
    const refused = await browser().get('/')
    expect(refused.status).toBeGreaterThanOrEqual(500)
    expect(errors).toMatchObject([{ code: 'ERR_CLOSED' }])
    await turns()
    expect(isClosed).toBe(false)
    door.open()
    expect((await slow).status).toBe(200)
    await closed
    expect(keptData(store)).toEqual([{ user: 'ada' }])
  })

  it('and settled() wait for a touch that no response waits for', async () => {
    const { store, middleware: sessions, visitor } = await program()
    const ada = await visitor()
    const slow = held()
    store.ways.touch = slow.way
    await ada.get('/')
    const seen: string[] = []
    const waits = [
      sessions.settled().then(() => seen.push('settled')),
      sessions.close().then(() => seen.push('closed')),
    ]
    await turns()
    expect(seen).toEqual([])
    slow.answer()
    await Promise.all(waits)
    expect(seen.toSorted()).toEqual(['closed', 'settled'])
  })

  it('waits no longer than storeTimeout for a handler whose client has gone', async () => {
    const inside = gate()
    const { port, clock, middleware: sessions } = await program({ '/never': () => inside.open() })
    const client = new RawClient(port).send(get('/never'))
    await inside.opened
    let isClosed = false
    void sessions.close().then(() => {
      isClosed = true
    })
    client.socket.destroy()
    while (!isClosed) await clock.advance(30_000)
  })

  it('takes a callback, and so does settled()', async () => {
    const { middleware: sessions } = await program()
    const { settled, close } = sessions as unknown as Record<string, (done: () => void) => void>
    await new Promise<void>((resolve) => settled!(resolve))
    await new Promise<void>((resolve) => close!(resolve))
  })
})
