import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Visit } from '../../src/core/visit.js'
import { Manager } from '../../src/manager.js'
import { settingsFrom } from '../../src/options.js'
import { SECRET, serveApp } from '../support/serve.js'

describe('what sessions.of(req) gives', () => {
  it('shows no id and no data in a log, as JSON or inspected', async () => {
    const logged: string[] = []
    const { browser, origin } = await serveApp((app, sessions) => {
      app.get('/log', async (req, res) => {
        const info = sessions.of(req)
        info.session.note = 'marked data'
        await info.session.save()
        logged.push(JSON.stringify(info), inspect(info, { showHidden: true, depth: null }))
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/log')
    const id = visitor.jar.header(`${origin}/`)!.slice('sid='.length).split('.')[0]!
    for (const text of logged) {
      expect(text.includes(id)).toBe(false)
      expect(text.includes('marked data')).toBe(false)
    }
  })
})

describe('an id that somebody may know', () => {
  it('because token() has given it away is renewed by a sign-in of the same response', async () => {
    let token = ''
    const { browser } = await serveApp((app, sessions) => {
      app.get('/go', async (req, res) => {
        token = await sessions.of(req).token()
        sessions.of(req).session.userId = 1
        res.end()
      })
    })
    await browser().get('/go')
    const other = await browser().get('/', { headers: { cookie: `sid=${token}` } })
    expect(other.json()).toEqual({})
  })

  it('leads nowhere after regenerate(), save() and a sign-in in one response', async () => {
    let before = ''
    const { browser, sessions } = await serveApp((app, manager) => {
      app.get('/start', (req, res) => {
        manager.of(req).session.a = 1
        before = manager.of(req).session.id
        res.end()
      })
      app.get('/go', async (req, res) => {
        await manager.of(req).session.regenerate({ keep: true })
        await manager.of(req).session.save()
        manager.of(req).session.userId = 1
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/start')
    await visitor.get('/go')
    expect(await sessions.revoke(before)).toBe(false)
    expect((await visitor.get('/')).json()).toEqual({ a: 1, userId: 1 })
  })
})

describe('an id shown before it is stored', () => {
  /** One request's dealings with a stored session. */
  async function visitOf(manager: Manager) {
    const opened = await manager.keeper.open(await manager.issue({ a: 1 }, 'sid'), 'sid')
    return new Visit(manager.tools, opened)
  }

  it('is forgotten with its request, however often that calls regenerate()', async () => {
    const manager = new Manager(settingsFrom({ secret: SECRET }))
    const visit = await visitOf(manager)
    for (const _ of [1, 2]) {
      await visit.regenerate({ keep: true })
      visit.handleOf(visit.state.session)
    }
    await visit.commit()
    visit.over()
    expect(manager.tools.renewing.size).toBe(0)
  })

  it('costs no more memory than ten thousand, though many requests never end', async () => {
    const manager = new Manager(settingsFrom({ secret: SECRET }))
    const { renewing } = manager.tools
    for (let n = 0; n < 10_000; n++) renewing.set(`never answered ${n}`, 'somebody')
    const visit = await visitOf(manager)
    await visit.regenerate({ keep: true })
    const shown = visit.handleOf(visit.state.session)
    expect(renewing.size).toBe(10_000)
    expect(renewing.has('never answered 0')).toBe(false)
    expect(renewing.has(shown)).toBe(true)
  })

  it('stays the same through reload()', async () => {
    const visit = await visitOf(new Manager(settingsFrom({ secret: SECRET })))
    await visit.regenerate({ keep: true })
    const shown = visit.handleOf(visit.state.session)
    await visit.reload()
    expect(visit.handleOf(visit.state.session)).toBe(shown)
    await visit.commit()
    expect(visit.handleOf(visit.state.session)).toBe(shown)
  })
})
