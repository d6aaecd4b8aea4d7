import { describe, expect, it } from 'vitest'
import { type AnyData, serveApp } from '../support/serve.js'
import { gate } from '../support/turns.js'

/** Whose session it is takes two keys, and two requests bring one each. */
async function halves(how: 'end' | 'save' | 'streaming' | 'regenerate' | 'signed in') {
  const loaded = gate()
  const go = gate()
  const made = await serveApp(
    (app, sessions) => {
      app.get('/start', (req, res) => {
        Object.assign(sessions.of(req).session, { start: true })
        res.end()
      })
      app.get('/tenant', async (req, res) => {
        const visit = sessions.of(req)
        if (how === 'regenerate') await visit.session.regenerate({ keep: true })
        if (how === 'signed in') await visit.authenticated()
        if (how === 'streaming') res.write('on its way')
        loaded.open()
        await go.opened
        visit.session.tenant = 'acme'
        if (how === 'save') await visit.session.save()
        res.end()
      })
      app.get('/logout', async (req, res) => {
        if (how !== 'streaming') await sessions.of(req).session.destroy()
        res.end()
      })
      app.get('/login', (req, res) => {
        sessions.of(req).session.login = 'eve'
        res.end()
      })
    },
    { user: ({ tenant, login }) => (tenant && login ? `${tenant}/${login}` : undefined) },
  )
  const { browser, clock, sessions, origin } = made
  const renewals: unknown[] = []
  sessions.on('renew', ({ reason, user }) => void renewals.push([reason, user]))
  const visitor = browser()
  await visitor.get('/start')
  const cookie = visitor.jar.header(`${origin}/`)!
  // A time that only what starts again has.
  await clock.advance(60_000)
  const slow = visitor.get('/tenant')
  await loaded.opened
  await browser().get('/login', { headers: { cookie } })
  go.open()
  const { setCookies } = await slow
  const under = async (header: string) =>
    (await browser().get('/', { headers: { cookie: header } })).json<AnyData>()
  const old = await under(cookie)
  // With the old id, right after: it ends nothing of what goes on.
  await browser().get('/logout', { headers: { cookie } })
  return { visitor, renewals, setCookies, old, now: clock.now(), sessions }
}

describe('a user whose name two parallel requests bring together', () => {
  it.each(['end', 'save'] as const)(
    'is signed in under a new id, by the %s of the later one',
    async (how) => {
      const { visitor, renewals, setCookies, old, sessions, now } = await halves(how)
      expect(renewals).toEqual([['login', 'acme/eve']])
      expect(setCookies).toHaveLength(1)
      expect(old).toEqual({})
      const data = { start: true, tenant: 'acme', login: 'eve' }
      expect((await visitor.get('/')).json()).toEqual(data)
      expect(await sessions.list('acme/eve')).toMatchObject([{ authenticatedAt: now, data }])
    },
  )

  it('is not signed in where no cookie can be sent: what came too late is dropped', async () => {
    const { renewals, old, sessions } = await halves('streaming')
    expect(renewals).toEqual([])
    expect(old).toEqual({ start: true, login: 'eve' })
    expect(await sessions.list('acme/eve')).toEqual([])
  })

  it.each(['regenerate', 'signed in'] as const)(
    'is out of reach of the old id, which a renewal (%s) would else lead to',
    async (how) => {
      const { renewals, old, sessions, now } = await halves(how)
      expect(renewals).toEqual([['login', 'acme/eve']])
      expect(old).toEqual({})
      expect(await sessions.list('acme/eve')).toMatchObject([{ authenticatedAt: now }])
    },
  )
})
