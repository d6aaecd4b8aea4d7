import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore, session } from '../../src/index.js'
import { exchange, fence, get, isFence, RawClient, serve as serveRaw } from '../http/raw-http.js'
import { type AnyData, SECRET, serveApp } from '../support/serve.js'
import { gate, turns } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const watched = () => new WatchedStore(new MemoryStore())

async function fileOf(bytes: Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'streams-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'large')
  await writeFile(path, bytes)
  return path
}

describe('10 MB piped through a session that is being stored', () => {
  it('arrive unchanged, and one chunk of them waits', async () => {
    const bytes = Buffer.alloc(10 * 1024 * 1024, 'abcdefghijklmnopqrstuvwxyz')
    const path = await fileOf(bytes)
    const store = watched()
    const create = store.pause('create')
    const waiting: number[] = []
    const { origin, sessions } = await serveApp(
      (app, all) => {
        app.get('/large', async (req, res) => {
          all.of(req).session.downloads = 1
          createReadStream(path).pipe(res)
          await create.reached
          for (let turn = 0; turn < 50; turn++) {
            await turns(1)
            waiting.push(res.writableLength)
          }
          create.resume()
        })
      },
      { store },
    )
    const warnings: unknown[] = []
    sessions.on('warning', ({ code }) => warnings.push(code))
    const client = new RawClient(Number(new URL(origin).port)).send(get('/large', '', 'GET', '1.0'))
    await client.closed
    const body = client.bytes.subarray(client.bytes.indexOf('\r\n\r\n') + 4)
    expect(body.equals(bytes)).toBe(true)
    expect(client.text.slice(0, 1_000)).toMatch(/set-cookie: sid=/i)
    expect(Math.max(...waiting)).toBe(65_536)
    expect(warnings).toEqual([])
  })
})

describe('a producer that ignores false', () => {
  it('gets its warning, and an error page when the store fails', async () => {
    const store = watched()
    const { browser, sessions } = await serveApp(
      (app, all) => {
        app.get('/rude', (req, res) => {
          all.of(req).session.cart = true
          for (let chunk = 0; chunk < 10; chunk++) res.write('x'.repeat(20_000))
          res.end()
        })
      },
      { store },
    )
    const warnings: unknown[] = []
    sessions.on('warning', ({ code }) => warnings.push(code))
    store.fail('create')
    const answer = await browser().get('/rude')
    expect(warnings).toEqual(['WARN_HELD_BYTES'])
    expect(answer).toMatchObject({ status: 500, setCookies: [] })
    expect(answer.json()).toMatchObject({ code: 'ERR_STORE' })
  })

  it('loses its connection at 16 MiB, with an event, and the session is stored', async () => {
    const store = watched()
    const create = store.pause('create')
    const sessions = session<AnyData>({ secret: SECRET, store })
    onTestFinished(() => sessions.close())
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error.message))
    const port = await serveRaw((req, res) =>
      sessions(req, res, () => {
        sessions.of(req).session.cart = true
        const chunk = Buffer.alloc(1024 * 1024)
        for (let count = 0; count < 18; count++) res.write(chunk)
      }),
    )
    expect(await exchange(port)).toBe('')
    expect(errors).toEqual(['A response grew too large while its session was being stored.'])
    create.resume()
    await sessions.settled()
    expect(store.calls).toEqual(['create'])
  })
})

describe('server-sent events', () => {
  const events: Parameters<typeof serveApp>[0] = (app, sessions) => {
    app.get('/events', async (req, res) => {
      const current = sessions.of(req).session
      current.userId = 'ada'
      res.set('Content-Type', 'text/event-stream')
      res.flushHeaders()
      res.write('data: 1\n\n')
      const { late } = req.query
      while (sessions.explain(req)?.cookie.action !== 'set') await turns(1)
      await turns(2)
      if (late === 'user') current.userId = 'eve'
      else current.seen = 1
      res.end('data: 2\n\n')
    })
  }

  it('carry the cookie of a login with the headers, before the end', async () => {
    const [inside, go] = [gate(), gate()]
    const store = watched()
    const { origin } = await serveApp(
      (app, sessions) => {
        app.get('/events', async (req, res) => {
          sessions.of(req).session.userId = 'ada'
          res.flushHeaders()
          inside.open()
          await go.opened
          res.end('data: 1\n\n')
        })
      },
      { store },
    )
    const create = store.pause('create')
    const client = new RawClient(Number(new URL(origin).port)).send(get('/events'))
    await create.reached
    await inside.opened
    expect(client.text).toBe('')
    create.resume()
    expect(await client.until('\r\n\r\n')).toMatch(/set-cookie: sid=/i)
    expect(client.text).not.toContain('data')
    go.open()
    await client.closed
    expect(client.text).toContain('data: 1')
  })

  it.each([
    ['user', { userId: 'ada' }, ['WARN_TOO_LATE']],
    ['data', { userId: 'ada', seen: 1 }, []],
  ])('that change the %s after the headers leave a record of %j', async (late, data, expected) => {
    const { browser, sessions } = await serveApp(events)
    const warnings: unknown[] = []
    sessions.on('warning', ({ code }) => warnings.push(code))
    const visitor = browser()
    const answer = await visitor.get(`/events?late=${late}`)
    expect(answer.text()).toBe('data: 1\n\ndata: 2\n\n')
    const { value } = visitor.jar.get('sid')!
    expect((await visitor.get('/')).json()).toEqual(data)
    expect(visitor.jar.get('sid')?.value).toBe(value)
    expect(warnings).toEqual(expected)
  })
})

describe('a client that leaves while its response is held', () => {
  it('stops no commit, and is an error to nobody', async () => {
    const store = watched()
    const sessions = session<AnyData>({ secret: SECRET, store })
    onTestFinished(() => sessions.close())
    const errors: unknown[] = []
    sessions.on('error', (event) => errors.push(event))
    const left = gate()
    const seen: unknown[] = []
    const port = await serveRaw((req, res) => {
      if (isFence(req, res)) return
      res.on('error', (error) => seen.push(error))
      res.once('close', () => left.open())
      sessions(req, res, () => {
        sessions.of(req).session.cart = true
        res.write('begun')
        left.opened.then(() => res.end('nobody reads this'))
      })
    })
    const create = store.pause('create')
    const client = new RawClient(port).send(get())
    await create.reached
    client.socket.destroy()
    await left.opened
    create.resume()
    await sessions.settled()
    await fence(port)
    expect(store.calls).toEqual(['create'])
    expect([...seen, ...errors]).toEqual([])
  })
})

describe('after the end of its response a stored session', () => {
  const calls = {
    save: async (current: AnyData & { save(): Promise<void> }) => {
      current.late = true
      await current.save()
    },
    update: (current: { update(change: (data: AnyData) => void): Promise<unknown> }) =>
      current.update((data) => {
        data.late = true
      }),
    touch: (current: { touch(): Promise<void> }) => current.touch(),
    reload: (current: { reload(): Promise<void> }) => current.reload(),
    destroy: (current: { destroy(): Promise<void> }) => current.destroy(),
  }

  it.each(Object.entries(calls))('takes a %s()', async (name, call) => {
    const store = watched()
    const done = gate()
    const outcomes: unknown[] = []
    const { browser } = await serveApp(
      (app, sessions) => {
        app.get('/set', (req, res) => {
          sessions.of(req).session.cart = true
          res.end()
        })
        app.get('/job', (req, res) => {
          const current = sessions.of(req).session
          res.on('finish', () => {
            call(current as never).then(
              () => outcomes.push('done'),
              (error) => outcomes.push(error.code),
            )
            setImmediate(done.open)
          })
          res.end()
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/set')
    await visitor.get('/job')
    await done.opened
    await turns()
    expect(outcomes).toEqual(['done'])
    const late = { save: { late: true }, update: { late: true } }[name] ?? {}
    const expected = name === 'destroy' ? {} : { cart: true, ...late }
    expect((await visitor.get('/')).json()).toEqual(expected)
  })

  it('keeps what a handler only sets to itself: nothing is stored without a call', async () => {
    const store = watched()
    const done = gate()
    const { browser, sessions } = await serveApp(
      (app, all) => {
        app.get('/set', (req, res) => {
          all.of(req).session.cart = true
          res.end()
        })
        app.get('/job', (req, res) => {
          const current = all.of(req).session
          res.on('finish', () => {
            current.late = true
            setImmediate(done.open)
          })
          res.end()
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/set')
    store.calls.length = 0
    await visitor.get('/job')
    await done.opened
    await sessions.settled()
    expect(store.calls).toEqual(['load'])
  })
})
