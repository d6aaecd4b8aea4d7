import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { gate, meeting, turns } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const start: NonNullable<Parameters<typeof serveApp>[0]> = (app, sessions) => {
  app.get('/start', (req, res) => {
    Object.assign(sessions.of(req).session, { start: true, n: 0 })
    res.end()
  })
  app.get('/set/:key', (req, res) => {
    sessions.of(req).session[req.params.key] = true
    res.end()
  })
  app.get('/delete/:key', (req, res) => {
    delete sessions.of(req).session[req.params.key]
    res.end()
  })
}

describe('parallel requests of one process', () => {
  it('cost one load and one write each: none of them makes another try again', async () => {
    const meet = meeting(12)
    const store = new WatchedStore(new MemoryStore())
    const { browser } = await serveApp(
      (app, sessions) => {
        start(app, sessions)
        app.get('/together/:key', async (req, res) => {
          const { session } = sessions.of(req)
          await meet()
          session[req.params.key] = true
          res.end()
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/start')
    store.calls.length = 0
    const keys = Array.from({ length: 12 }, (_, index) => `k${index}`)
    await Promise.all(keys.map((key) => visitor.get(`/together/${key}`)))
    expect(store.count('load')).toBe(12)
    expect(store.count('replace')).toBe(12)
    const data = (await visitor.get('/')).json<AnyData>()
    expect(Object.keys(data)).toEqual(expect.arrayContaining(keys))
  })
})

describe('parallel updates of one process', () => {
  it('run their functions twice at most: once on what they have, once in line', async () => {
    const meet = meeting(30)
    const runs: number[] = []
    const { browser } = await serveApp((app, sessions) => {
      start(app, sessions)
      app.get('/add/:index', async (req, res) => {
        const index = Number(req.params.index)
        await sessions.of(req).session.update(async (data) => {
          runs[index] = (runs[index] ?? 0) + 1
          const n = data.n as number
          if (runs[index] === 1) await meet()
          else await turns(1)
          data.n = n + 1
        })
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/start')
    await Promise.all(Array.from({ length: 30 }, (_, index) => visitor.get(`/add/${index}`)))
    expect((await visitor.get('/')).json<AnyData>().n).toBe(30)
    expect(Math.max(...runs)).toBe(2)
  })

  it('go on at the time limit, if the function of one that is before them never ends', async () => {
    const doors = { stuck: gate(), next: gate() }
    const [end, bothInside, stuckAgain] = [gate(), gate(), gate()]
    let inside = 0
    const { browser, clock } = await serveApp((app, sessions) => {
      start(app, sessions)
      app.get('/add/:who', async (req, res) => {
        const who = req.params.who as 'stuck' | 'next'
        let runs = 0
        await sessions.of(req).session.update(async (data) => {
          runs++
          if (runs === 1) {
            inside++
            if (inside === 2) bothInside.open()
            await doors[who].opened
          } else if (who === 'stuck') {
            stuckAgain.open()
            await end.opened
          }
          data[who] = true
        })
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/start')
    const stuck = visitor.get('/add/stuck')
    const next = visitor.get('/add/next')
    await bothInside.opened
    // Both are going to lose the race against this one.
    await visitor.get('/set/meanwhile')
    doors.stuck.open()
    await stuckAgain.opened
    doors.next.open()
    await turns()
    expect((await visitor.get('/')).json<AnyData>().next).toBeUndefined()
    await clock.advance(2000)
    expect((await next).status).toBe(200)
    expect((await visitor.get('/')).json<AnyData>().next).toBe(true)
    end.open()
    expect((await stuck).status).toBe(200)
    expect((await visitor.get('/')).json()).toEqual({
      start: true,
      n: 0,
      meanwhile: true,
      next: true,
      stuck: true,
    })
  })
})

describe('after a save() that had to merge, the session', () => {
  it.each(['another process', 'the same process'])(
    'shows what others have stored, and keeps the handler’s own objects: %s',
    async (where) => {
      const [inside, go] = [gate(), gate()]
      const store = new MemoryStore()
      const first = await serveApp(
        (app, sessions) => {
          start(app, sessions)
          app.get('/slow', async (req, res) => {
            const { session } = sessions.of(req)
            const cart = { items: ['coat'] }
            session.cart = cart
            const before = session
            inside.open()
            await go.opened
            await session.save()
            const isSame = session.cart === cart && sessions.of(req).session === before
            cart.items.push('hat')
            res.json({ isSame, shown: { ...session } })
          })
        },
        { store },
      )
      const other =
        where === 'the same process' ? first : await serveApp(start, { store, clock: first.clock })
      const visitor = first.browser()
      await visitor.get('/start')
      const copy = { headers: { cookie: visitor.jar.header(`${first.origin}/`)! } }
      const slow = visitor.get('/slow')
      await inside.opened
      await other.browser().get('/set/theirs', copy)
      await other.browser().get('/delete/n', copy)
      go.open()
      const data = { start: true, theirs: true, cart: { items: ['coat', 'hat'] } }
      expect((await slow).json()).toEqual({ isSame: true, shown: data })
      // What was pushed after the save was noticed, too.
      expect((await visitor.get('/')).json()).toEqual(data)
    },
  )
})
