import { describe, expect, it } from 'vitest'
import { MemoryStore, type SessionManager } from '../../src/index.js'
import { fatal } from '../support/process-events.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { turns } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

type AnySession = ReturnType<SessionManager<AnyData>['of']>['session']

const methods: [string, (session: AnySession) => Promise<unknown>][] = [
  ['save', (session) => session.save()],
  ['reload', (session) => session.reload()],
  ['destroy', (session) => session.destroy()],
  ['touch', (session) => session.touch()],
  ['regenerate', (session) => session.regenerate()],
  ['update', (session) => session.update(() => {})],
]

describe.each(methods)('a %s() that rejects and that nobody awaits', (_name, call) => {
  it('ends no process: without the store', async () => {
    const unhandled = fatal('unhandledRejection')
    const store = new WatchedStore(new MemoryStore())
    let rejected: unknown
    const { browser, sessions } = await serveApp(
      (app, all) => {
        app.get('/call', (req, res) => {
          const { session } = all.of(req)
          void call(session)
          const heard = call(session)
          heard.catch((error) => {
            rejected = error
          })
          res.end()
        })
      },
      { store, onStoreError: 'anonymous' },
    )
    const token = await sessions.issue({ userId: 1 })
    store.fail('load')
    await browser().get('/call', { headers: { cookie: `sid=${token}` } })
    await turns()
    expect(rejected).toMatchObject({ code: 'ERR_READ_ONLY' })
    expect(unhandled).toEqual([])
  })

  it('ends no process: inside the function of an update', async () => {
    const unhandled = fatal('unhandledRejection')
    const errors: unknown[] = []
    const { browser } = await serveApp((app, all) => {
      app.get('/call', async (req, res) => {
        const { session } = all.of(req)
        await session.update(() => {
          void call(session)
          call(session).catch(({ code }) => errors.push(code))
        })
        res.end()
      })
    })
    await browser().get('/call')
    await turns()
    expect(errors).toEqual(['ERR_UNSUPPORTED'])
    expect(unhandled).toEqual([])
  })
})

describe('an exception in a callback', () => {
  it.each(['stored', 'failed'] as const)(
    'of a save() that has %s is an uncaught one of its own, and no reason for a second call',
    async (outcome) => {
      const unhandled = fatal('unhandledRejection')
      const uncaught = fatal('uncaughtException')
      const store = new WatchedStore(new MemoryStore())
      const calls: unknown[] = []
      const settled: unknown[] = []
      const { browser } = await serveApp(
        (app, sessions) => {
          app.get('/save', (req, res) => {
            const { session } = sessions.of(req)
            session.cart = true
            session
              .save((error) => {
                calls.push((error as { code: string } | null)?.code ?? error)
                res.end()
                throw new Error('of the callback')
              })
              .then(
                () => settled.push('stored'),
                () => settled.push('failed'),
              )
          })
        },
        { store },
      )
      if (outcome === 'failed') store.fail('create')
      await browser().get('/save')
      await turns()
      expect(calls).toEqual([outcome === 'stored' ? null : 'ERR_STORE'])
      expect(settled).toEqual([outcome])
      expect(uncaught).toEqual([expect.objectContaining({ message: 'of the callback' })])
      expect(unhandled).toEqual([])
    },
  )
})

describe('of(req).authenticated() inside the function of an update', () => {
  it('is refused, and ends no process if nobody awaits it', async () => {
    const unhandled = fatal('unhandledRejection')
    const { browser } = await serveApp((app, sessions) => {
      app.get('/call', async (req, res) => {
        await sessions.of(req).session.update(() => {
          void sessions.of(req).authenticated()
        })
        res.end()
      })
    })
    await browser().get('/call')
    await turns()
    expect(unhandled).toEqual([])
  })
})
