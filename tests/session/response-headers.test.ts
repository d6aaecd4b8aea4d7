import type { Request } from 'express'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { MemoryStore, type SessionManager } from '../../src/index.js'
import { processWarnings } from '../support/process-events.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { turns } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

/** An app that sets the headers given in the query, and then looks at or changes its session. */
async function headersApp() {
  const made = await serveApp((app, sessions) => {
    app.get('/:what', async (req, res) => {
      const headers = Object.entries(JSON.parse(String(req.query.headers)))
      for (const [name, value] of headers) res.setHeader(name, value as string | string[])
      const { what } = req.params
      if (what === 'read') Object.keys(sessions.of(req).session)
      if (what === 'set') sessions.of(req).session.cart = true
      if (what === 'logout') await sessions.of(req).session.destroy()
      res.end()
    })
  })
  const warnings: unknown[] = []
  made.sessions.on('warning', ({ code }) => warnings.push(code))
  const answer = async (what: string, headers: Record<string, unknown>) =>
    (await made.browser().get(`/${what}?headers=${encodeURIComponent(JSON.stringify(headers))}`))
      .headers
  return { answer, warnings }
}

describe('Vary', () => {
  it.each<[unknown, string]>([
    ['Accept-Encoding', 'Accept-Encoding, Cookie'],
    [['Accept', 'Origin'], 'Accept, Origin, Cookie'],
    ['*', '*'],
    ['Accept, *', 'Accept, *'],
    ['cookie', 'cookie'],
    ['Accept,COOKIE', 'Accept,COOKIE'],
    ['Cookie-Consent', 'Cookie-Consent, Cookie'],
  ])('%j of the application goes out as %j', async (set, sent) => {
    const { answer } = await headersApp()
    for (const what of ['read', 'set']) {
      expect((await answer(what, { Vary: set })).vary).toBe(sent)
    }
  })
})

describe('a handler that looks at its session without req.session', () => {
  it.each<[string, (sessions: SessionManager<AnyData>, req: Request) => unknown]>([
    ['createdAt', (sessions, req) => sessions.of(req).createdAt],
    ['authenticatedAt', (sessions, req) => sessions.of(req).authenticatedAt],
    ['lastSeenAt', (sessions, req) => sessions.of(req).lastSeenAt],
    ['expiresAt', (sessions, req) => sessions.of(req).expiresAt],
    ['isReadOnly', (sessions, req) => sessions.of(req).isReadOnly],
    ['sessions.read(req)', (sessions, req) => sessions.read(req)],
    ['token()', (sessions, req) => sessions.of(req).token()],
  ])('has a response that depends on the cookie: %s', async (name, look) => {
    const { browser, sessions } = await serveApp((app, all) => {
      app.get('/look', async (req, res) => {
        await look(all, req)
        res.end()
      })
      app.get('/nothing', (_req, res) => void res.end())
    })
    const headers = { cookie: `sid=${await sessions.issue({ userId: 'ada' })}` }
    const { headers: looked } = await browser().get('/look', { headers })
    expect(looked.vary).toBe('Cookie')
    // The token is a credential, wherever in the response it is.
    expect(looked['cache-control']).toBe(name === 'token()' ? 'no-store' : undefined)
    expect((await browser().get('/nothing', { headers })).headers.vary).toBe(undefined)
  })
})

describe('Cache-Control', () => {
  it('is no-store on a response that sets or clears the cookie, and on no other', async () => {
    const { answer } = await headersApp()
    expect((await answer('set', {}))['cache-control']).toBe('no-store')
    expect((await answer('logout', {}))['cache-control']).toBe('no-store')
    expect((await answer('read', {}))['cache-control']).toBeUndefined()
  })

  it.each<[string, string[]]>([
    ['private, max-age=60', []],
    ['No-Store', []],
    ['no-cache', []],
    ['public, max-age=60', ['WARN_CACHEABLE']],
    ['s-maxage=60', ['WARN_CACHEABLE']],
    ['Max-Age=60', ['WARN_CACHEABLE']],
  ])('%j of the application stays; warnings: %j', async (set, expected) => {
    const { answer, warnings } = await headersApp()
    for (const what of ['set', 'set', 'logout']) {
      expect((await answer(what, { 'Cache-Control': set }))['cache-control']).toBe(set)
    }
    expect(warnings).toEqual(expected)
  })

  it('that lets others keep a response without the cookie is nobody’s business here', async () => {
    const { answer, warnings } = await headersApp()
    const headers = { 'Cache-Control': 'public, max-age=60' }
    expect((await answer('read', headers))['cache-control']).toBe('public, max-age=60')
    expect(warnings).toEqual([])
  })
})

describe('a producer that ignores the back-pressure of a held response', () => {
  it.each([
    [30, ['WARN_HELD_BYTES']],
    [40, []],
  ])('is one warning beyond maxHeldBytes: %i', async (maxHeldBytes, expected) => {
    const store = new WatchedStore(new MemoryStore())
    const { browser, sessions } = await serveApp(
      (app, all) => {
        app.get('/rude', (req, res) => {
          all.of(req).session.cart = true
          for (let chunk = 0; chunk < 4; chunk++) res.write('ten bytes.')
          res.end('and the end')
        })
      },
      { store, maxHeldBytes },
    )
    const warnings: unknown[] = []
    sessions.on('warning', ({ code }) => warnings.push(code))
    for (let visit = 0; visit < 2; visit++) {
      const create = store.pause('create')
      const answer = browser().get('/rude')
      await create.reached
      await turns()
      create.resume()
      expect((await answer).text()).toBe(`${'ten bytes.'.repeat(4)}and the end`)
    }
    expect(warnings).toEqual(expected)
  })
})

describe('sessions in memory', () => {
  async function warningsOf(environment: string, store?: WatchedStore): Promise<unknown[]> {
    vi.stubEnv('NODE_ENV', environment)
    onTestFinished(() => void vi.unstubAllEnvs())
    const told = processWarnings()
    const { browser, sessions } = await serveApp(() => {}, store === undefined ? {} : { store })
    const codes: unknown[] = []
    sessions.on('warning', ({ code }) => codes.push(code))
    await turns()
    expect(told).toEqual([])
    await browser().get('/')
    await browser().get('/')
    await turns()
    expect(told).toEqual(codes)
    return codes
  }

  it('are one warning in production, with the first request', async () => {
    expect(await warningsOf('production')).toEqual(['WARN_MEMORY_STORE'])
  })

  it('are none in development, nor is another store in production', async () => {
    expect(await warningsOf('development')).toEqual([])
    expect(await warningsOf('production', new WatchedStore(new MemoryStore()))).toEqual([])
  })
})
