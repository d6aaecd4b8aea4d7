import { describe, expect, it, vi } from 'vitest'
import { exchange, fence, get, RawClient, split } from '../http/raw-http.js'
import { gate, turns } from '../support/turns.js'
import { handStore, held } from './hand-store.js'
import { dropIn, implementations, real } from './implementations.js'
import { at, cookieFor, dataOf, idOf, keptFor, program } from './program.js'

type Routes = NonNullable<Parameters<typeof program>[0]>

const login: Routes = {
  '/login': (req, res) => {
    at(req).session.user = 'ada'
    res.redirect('/')
  },
  '/fence': (_req, res) => void res.end('fence'),
}

describe('a response to changed data', () => {
  it('sends no byte before the session is stored', async () => {
    const { store, port } = await program(login)
    const slow = held()
    store.ways.set = slow.way
    const client = new RawClient(port).send(get('/login'))
    await slow.reached
    await fence(port)
    expect(client.text).toBe('')
    slow.answer()
    expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 302 /)
  })

  it('of express-session sends all but its last byte before', async () => {
    const { store, port } = await program(login, {}, real)
    const slow = held()
    store.ways.set = slow.way
    const client = new RawClient(port).send(get('/login'))
    await slow.reached
    await client.until(/Location: \/\r\n/)
    expect(await client.until(/Redirecting to/)).toMatch(/^HTTP\/1\.1 302 /)
    expect(store.kept.size).toBe(0)
    slow.answer()
  })

  it('which is a redirect, leads to a page that knows the data', async () => {
    const { store, port } = await program(login)
    const slow = held()
    store.ways.set = slow.way
    const first = new RawClient(port).send(get('/login'))
    void slow.reached.then(() => setImmediate(() => slow.answer()))
    const [cookie] = /connect\.sid=[^;]+/.exec(
      await first.until('Set-Cookie: ').then(() => first.until('\r\n\r\n')),
    )!
    // With the first bytes, not with the end of the connection.
    const { body } = split(await exchange(port, get('/', `Cookie: ${cookie}\n`)))
    expect(body).toBe('{"user":"ada"}')
  })

  it('which is a redirect, leads under express-session to a page that does not', async () => {
    const { store, port } = await program(login, {}, real)
    const slow = held()
    store.ways.set = slow.way
    const first = new RawClient(port).send(get('/login'))
    const [cookie] = /connect\.sid=[^;]+/.exec(await first.until('Redirecting'))!
    const { body } = split(await exchange(port, get('/', `Cookie: ${cookie}\n`)))
    expect(body).toBe('{}')
    slow.answer()
  })

  it.each<[string, Routes[string]]>([
    ['json', (_req, res) => res.json({ a: 1 })],
    [
      'write and end',
      (_req, res) => {
        res.write('a')
        res.end('b')
      },
    ],
    ['writeHead', (_req, res) => res.writeHead(200, { 'X-A': 'b' }).end('c')],
    ['status 204', (_req, res) => res.status(204).end()],
    [
      'flushHeaders',
      (_req, res) => {
        res.flushHeaders()
        setImmediate(() => res.end('late'))
      },
    ],
  ])('by %s has its cookie, once the record is there', async (_, handler) => {
    const found: (string | undefined)[] = []
    const { store, port } = await program({
      '/answer': (req, res) => {
        at(req).session.user = 'ada'
        return handler(req, res)
      },
    })
    const { head } = split(await exchange(port, get('/answer')))
    expect(head).toMatch(/\r\nSet-Cookie: connect\.sid=s%3A[^;]+; Path=\/; HttpOnly/)
    found.push(...store.kept.values())
    expect(found).toEqual([expect.stringContaining('"user":"ada"')])
    expect(store.taken()).toEqual(['set'])
  })

  it('waits for a save that nobody has awaited', async () => {
    const { store, browser } = await program({
      '/save': (req, res) => {
        at(req).session.user = 'ada'
        at(req).session.save()
        res.json({})
      },
    })
    const slow = held()
    store.ways.set = slow.way
    const ada = browser()
    const answer = ada.get('/save')
    await slow.reached
    slow.answer()
    expect((await answer).setCookies).toHaveLength(1)
    expect(keptFor(store, ada)).toEqual({ user: 'ada' })
    expect(store.taken()).toEqual(['set'])
  })

  it('waits for a destroy that nobody has awaited', async () => {
    const { store, visitor } = await program({
      '/logout': (req, res) => {
        at(req).session.destroy()
        res.json(dataOf(req))
      },
    })
    const ada = await visitor()
    const slow = held()
    store.ways.destroy = slow.way
    let isAnswered = false
    const answer = ada.get('/logout').then((response) => {
      isAnswered = true
      return response
    })
    await slow.reached
    await turns()
    expect(isAnswered).toBe(false)
    slow.answer()
    expect((await answer).json()).toBe(null)
    expect(store.kept.size).toBe(0)
  })

  it('stores what comes after a save once more', async () => {
    const { store, browser } = await program({
      '/save': async (req, res) => {
        at(req).session.user = 'ada'
        await at(req).session.save()
        at(req).session.views = 1
        res.json({})
      },
    })
    const ada = browser()
    await ada.get('/save')
    expect(keptFor(store, ada)).toEqual({ user: 'ada', views: 1 })
    expect(store.taken()).toEqual(['set', 'get', 'set'])
  })

  it.each(implementations)('writes with save after regenerate on $name', async (implementation) => {
    const { store, visitor } = await program(
      {
        '/login': (req, res) => {
          at(req).session.regenerate(() => {
            at(req).session.user = 'bob'
            at(req).session.save(() => res.json({}))
          })
        },
      },
      {},
      implementation,
    )
    const ada = await visitor()
    await ada.get('/login')
    // express-session writes it twice, once for the save and once more at the end.
    const sets = implementation === dropIn ? ['set'] : ['set', 'set']
    expect(store.taken()).toEqual(['get', 'destroy', ...sets])
    expect(keptFor(store, ada)).toEqual({ user: 'bob' })
  })
})

describe('a touch', () => {
  it('holds no response up', async () => {
    const { store, visitor } = await program()
    const ada = await visitor()
    const slow = held()
    store.ways.touch = slow.way
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
    await slow.reached
    slow.answer()
  })

  it('holds the last byte up under express-session', async () => {
    const { store, port, visitor } = await program({ '/fence': login['/fence']! }, {}, real)
    const ada = await visitor()
    const slow = held()
    store.ways.touch = slow.way
    const cookie = cookieFor(idOf(ada))
    const client = new RawClient(port).send(get('/', `Cookie: ${cookie}\n`))
    await slow.reached
    await fence(port)
    expect(split(client.text).body).toBe('{"user":"ada"')
    slow.answer()
    await client.closed
    expect(split(client.text).body).toBe('{"user":"ada"}')
  })

  it.each(implementations)('that fails goes to next on $name', async (implementation) => {
    const { store, visitor, errors } = await program({}, {}, implementation)
    const ada = await visitor()
    const slow = held()
    store.ways.touch = slow.way
    const answer = ada.get('/')
    await slow.reached
    slow.answer(new Error('lost'))
    expect((await answer).json()).toEqual({ user: 'ada' })
    await vi.waitUntil(() => errors.length > 0)
    expect(errors).toEqual([new Error('lost')])
  })

  it('is sent once, and not for a session that is written', async () => {
    const { store, visitor } = await program({
      '/late': (_req, res) => {
        res.write('a')
        res.end('b')
      },
    })
    const ada = await visitor()
    await ada.get('/late')
    expect(store.taken()).toEqual(['get', 'touch'])
    await ada.get('/set?user=bob')
    expect(store.taken()).toEqual(['get', 'get', 'set'])
  })

  it('is not sent to a store that has none', async () => {
    const store = handStore(dropIn, { withoutTouch: true })
    const { visitor, events, errors } = await program({}, { store })
    expect((await (await visitor()).get('/')).json()).toEqual({ user: 'ada' })
    await turns()
    expect(store.taken()).toEqual(['get'])
    expect([...events, ...errors]).toEqual([])
  })
})

describe('data that is set after the headers have left', () => {
  const routes: Routes = {
    '/late': (req, res) => {
      res.write('a')
      at(req).session.late = true
      res.end('b')
    },
  }

  it('is stored before the end', async () => {
    const { store, visitor } = await program(routes)
    const ada = await visitor()
    const slow = held()
    store.ways.set = slow.way
    let isEnded = false
    const answer = ada.get('/late').then((response) => {
      isEnded = true
      return response
    })
    await slow.reached
    await turns()
    expect(isEnded).toBe(false)
    slow.answer()
    expect((await answer).text()).toBe('ab')
    expect(keptFor(store, ada)).toEqual({ user: 'ada', late: true })
  })

  it('of a visitor without a session is stored, and one warning says that no cookie names it', async () => {
    const { store, browser, events } = await program(routes)
    expect((await browser().get('/late')).setCookies).toEqual([])
    await browser().get('/late')
    expect(store.taken()).toEqual(['set', 'set'])
    expect(events.filter(({ name }) => name === 'warning')).toMatchObject([
      { code: 'WARN_TOO_LATE' },
    ])
  })

  it('is stored when the client leaves an open stream', async () => {
    const opened = gate()
    const { store, port, visitor } = await program({
      '/stream': (req, res) => {
        res.write('a')
        at(req).session.seen = true
        opened.open()
      },
    })
    const ada = await visitor()
    const client = new RawClient(port).send(get('/stream', `Cookie: ${cookieFor(idOf(ada))}\n`))
    await opened.opened
    await client.until('a\r\n')
    client.socket.destroy()
    await vi.waitUntil(() => store.calls.at(-1)?.startsWith('set'))
    await vi.waitUntil(() => (keptFor(store, ada) as { seen?: boolean }).seen)
  })
})
