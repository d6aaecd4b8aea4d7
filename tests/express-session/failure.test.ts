import { describe, expect, it, vi } from 'vitest'
import { fatal } from '../support/process-events.js'
import { turns } from '../support/turns.js'
import { failing } from './hand-store.js'
import { implementations } from './implementations.js'
import { at, keptFor, program } from './program.js'

type Routes = NonNullable<Parameters<typeof program>[0]>

const routes: Routes = {
  '/created': (req, res) => {
    at(req).session.user = 'bob'
    res.status(201).set('X-Own', '1').json({ made: true })
  },
  '/unset': (req, res) => {
    Object.assign(req, { session: null })
    res.status(202).json({ bye: true })
  },
  '/streamed': (req, res) => {
    res.write('a')
    at(req).session.user = 'bob'
    res.end('b')
  },
}

describe.each(implementations)('a session that cannot be stored, on $name', (implementation) => {
  it('leaves with its response as it is, and the error goes to next', async () => {
    const { store, browser, errors } = await program(routes, {}, implementation)
    store.ways.set = failing
    const answer = await browser().get('/created')
    expect(answer).toMatchObject({ status: 201, headers: { 'x-own': '1' } })
    expect(answer.setCookies).toHaveLength(1)
    expect(answer.json()).toEqual({ made: true })
    await vi.waitUntil(() => errors.length > 0)
    expect(errors).toEqual([new Error('lost')])
  })

  it('or ended by unset, leaves with its response too', async () => {
    const { store, visitor, errors } = await program(routes, { unset: 'destroy' }, implementation)
    const ada = await visitor()
    store.ways.destroy = failing
    const answer = await ada.get('/unset')
    expect(answer).toMatchObject({ status: 202, setCookies: [] })
    expect(answer.json()).toEqual({ bye: true })
    await vi.waitUntil(() => errors.length > 0)
    expect(errors).toEqual([new Error('lost')])
    expect(keptFor(store, ada)).toEqual({ user: 'ada' })
  })

  it('after the headers, lets the response end', async () => {
    const { store, visitor, errors } = await program(routes, {}, implementation)
    const ada = await visitor()
    store.ways.set = failing
    expect((await ada.get('/streamed')).text()).toBe('ab')
    await vi.waitUntil(() => errors.length > 0)
    expect(errors).toEqual([new Error('lost')])
  })

  it('tells the callbacks of save, destroy and regenerate, which go on', async () => {
    const told: string[] = []
    const { store, visitor } = await program(
      {
        '/all': (req, res) => {
          const { session } = at(req)
          session.views = 1
          session.save((error) => {
            told.push(`save: ${error?.message}`)
            session.regenerate((failed) => {
              told.push(`regenerate: ${failed?.message}, ${at(req).session !== session}`)
              at(req).session.destroy((failedToo) => {
                told.push(`destroy: ${failedToo?.message}, ${at(req).session === undefined}`)
                res.json({})
              })
            })
          })
        },
      },
      {},
      implementation,
    )
    const ada = await visitor()
    store.ways.set = failing
    store.ways.destroy = failing
    await ada.get('/all')
    expect(told).toEqual(['save: lost', 'regenerate: lost, true', 'destroy: lost, true'])
  })
})

describe("with onStoreError: 'fail'", () => {
  const options = { onStoreError: 'fail' }

  it('a session that cannot be stored is an error page without a cookie', async () => {
    const { store, browser, errors } = await program(routes, options)
    store.ways.set = failing
    const answer = await browser().get('/created')
    expect(answer).toMatchObject({ status: 500, setCookies: [] })
    expect(answer.headers).toMatchObject({ 'x-own': '1' })
    expect(answer.text()).not.toContain('made')
    expect(errors).toEqual([new Error('lost')])
  })

  it('one that cannot be ended by unset is an error page, and lives on', async () => {
    const { store, visitor, errors } = await program(routes, { ...options, unset: 'destroy' })
    const ada = await visitor()
    store.ways.destroy = failing
    expect((await ada.get('/unset')).status).toBe(500)
    expect(errors).toEqual([new Error('lost')])
    store.ways.destroy = undefined
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
  })

  it('the error page itself is not stored', async () => {
    const { store, visitor } = await program(routes, options)
    const ada = await visitor()
    store.ways.set = failing
    await ada.get('/created')
    expect(store.taken()).toEqual(['get', 'get', 'set'])
    expect(keptFor(store, ada)).toEqual({ user: 'ada' })
  })

  it('a touch that fails changes no response', async () => {
    const { store, visitor } = await program({}, options)
    const ada = await visitor()
    store.ways.touch = failing
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
  })

  it('another word is no option', async () => {
    await expect(program({}, { onStoreError: 'throw' })).rejects.toThrow(
      "The option onStoreError takes 'respond' or 'fail'.",
    )
  })
})

describe('an error of the store', () => {
  it.each(implementations)('ENOENT at get is a new session, on $name', async (implementation) => {
    const { store, visitor, errors } = await program({}, {}, implementation)
    const ada = await visitor()
    store.ways.get = (_, done) => done(Object.assign(new Error('no file'), { code: 'ENOENT' }))
    expect((await ada.get('/')).json()).toEqual({})
    expect(errors).toEqual([])
  })

  it('at the look before a write is told like one of the write', async () => {
    let gets = 0
    const { store, visitor, errors } = await program(routes)
    const ada = await visitor()
    store.ways.get = (work, done) => (gets++ === 0 ? done(null, work()) : done(new Error('lost')))
    expect((await ada.get('/created')).status).toBe(201)
    await vi.waitUntil(() => errors.length > 0)
    expect(errors).toEqual([new Error('lost')])
    expect(keptFor(store, ada)).toEqual({ user: 'ada' })
  })

  it('is an event too, once', async () => {
    const { store, browser, events } = await program(routes)
    store.ways.set = failing
    await browser().get('/created')
    await turns()
    expect(events.filter(({ name }) => name === 'error')).toMatchObject([
      { error: { message: 'lost' } },
    ])
  })

  it('in an error listener harms nobody', async () => {
    const crashes = fatal('uncaughtException')
    const { store, browser, middleware, errors } = await program(routes)
    ;(middleware as unknown as { on(name: string, listener: () => void): void }).on('error', () => {
      throw new Error('mine')
    })
    store.ways.set = failing
    expect((await browser().get('/created')).status).toBe(201)
    await vi.waitUntil(() => errors.length > 0)
    expect(crashes).toEqual([])
  })
})

it('a session whose cookie cannot be written is answered without it, and tells next', async () => {
  const { browser, errors, store } = await program({
    '/bad': (req, res) => {
      at(req).session.user = 'ada'
      at(req).session.cookie.path = 'a\nb'
      res.json({ made: true })
    },
  })
  const answer = await browser().get('/bad')
  expect(answer).toMatchObject({ status: 200, setCookies: [] })
  await vi.waitUntil(() => errors.length > 0)
  expect(errors).toEqual([expect.any(TypeError)])
  expect(store.kept.size).toBe(1)
})
