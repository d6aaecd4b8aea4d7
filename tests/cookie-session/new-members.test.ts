import { describe, expect, it } from 'vitest'
import { dropIn } from './implementations.js'
import { cookieOf, dataIn, type Handler, program, sessionOf } from './program.js'

const KEYS = { keys: ['a key'] }
type Request = Parameters<Handler>[0]

interface NewSession {
  save(callback?: (error?: unknown) => void): unknown
  regenerate(callback?: (error?: unknown) => void): unknown
}
const fresh = (req: Request) => sessionOf(req) as unknown as NewSession

/** The cookies after a sign-in, and what answers a request with them. */
async function signedIn(handler: Handler) {
  const made = await program(dropIn, { ...KEYS }, (req, res) => {
    if (req.headers.cookie !== undefined) return handler(req, res)
    Object.assign(sessionOf(req), { user: 'ada', cart: [1] })
  })
  const cookie = cookieOf(await made.lines())
  return { ...made, cookie }
}

describe('save and regenerate', () => {
  it('are on the immediate prototype, and no data', async () => {
    const { browser } = await program(dropIn, { ...KEYS }, (req) => {
      const session = sessionOf(req)
      session.a = 1
      const seen: string[] = []
      for (const name in session) seen.push(name)
      const prototype = Object.getPrototypeOf(session)
      return [
        seen,
        Object.keys(session),
        JSON.stringify(session),
        { ...session },
        ['save', 'regenerate'].map((name) => [
          Object.hasOwn(prototype, name),
          Object.getOwnPropertyDescriptor(prototype, name)!.enumerable,
          prototype[name].length,
        ]),
      ]
    })
    expect((await browser().get('/')).json()).toEqual([
      ['a'],
      ['a'],
      '{"a":1}',
      { a: 1 },
      [
        [true, false, 1],
        [true, false, 1],
      ],
    ])
  })

  it('give promises, and the session to who has a callback', async () => {
    const { browser } = await program(dropIn, { ...KEYS }, async (req) => {
      const first = fresh(req)
      const told: unknown[] = []
      const given = await new Promise((resolve) => {
        const returned = first.save((error) => resolve([error ?? null, returned === first]))
      })
      told.push(given, first.save() instanceof Promise, (await first.save()) === undefined)
      told.push(first.regenerate(() => {}) === first, (await fresh(req).regenerate()) === undefined)
      return told
    })
    expect((await browser().get('/')).json()).toEqual([[null, true], true, true, true, true])
  })

  it('leave data of their name alone, which old cookies may hold', async () => {
    const { lines } = await program(dropIn, { ...KEYS }, (req) => {
      const session = sessionOf(req)
      if (req.headers.cookie === undefined) Object.assign(session, { save: 1, regenerate: [2] })
      else session.more = 3
    })
    const first = await lines()
    expect(dataIn(first)).toEqual({ save: 1, regenerate: [2] })
    expect(dataIn(await lines(cookieOf(first)))).toEqual({ save: 1, regenerate: [2], more: 3 })
  })
})

describe('regenerate()', () => {
  it('begins an empty session at once, and what it is given takes the place of the old', async () => {
    const { lines, cookie } = await signedIn((req) => {
      const before = sessionOf(req)
      fresh(req).regenerate()
      expect([req.session === before, sessionOf(req).isNew, before.user]).toEqual([
        false,
        true,
        'ada',
      ])
      sessionOf(req).user = 'eve'
    })
    expect(dataIn(await lines(cookie))).toEqual({ user: 'eve' })
  })

  it('deletes the cookie if nothing comes after it', async () => {
    const { lines, cookie } = await signedIn((req) => fresh(req).regenerate())
    const sent = await lines(cookie)
    expect(sent).toHaveLength(2)
    for (const line of sent) expect(line).toContain('expires=Thu, 01 Jan 1970 00:00:00 GMT')
  })

  it('sends nothing if nothing came and nothing comes', async () => {
    const { lines } = await program(dropIn, { ...KEYS }, (req) => fresh(req).regenerate())
    expect(await lines()).toEqual([])
    expect(await lines('other=1')).toEqual([])
  })

  it('is refused after the headers, and changes nothing', async () => {
    let failure: unknown
    const { lines, cookie } = await signedIn(async (req, res) => {
      res.write('begun')
      const before = req.session
      failure = await (fresh(req).regenerate() as Promise<void>).catch((error) => error)
      expect(req.session).toBe(before)
      res.end()
    })
    await lines(cookie)
    expect(failure).toMatchObject({ code: 'ERR_HEADERS_SENT' })
  })
})

describe('save()', () => {
  it.each([
    ['too much', 'x'.repeat(4000), { code: 'ERR_COOKIE_TOO_LARGE' }],
    ['a BigInt', 1n, { name: 'TypeError' }],
  ])('tells of %s, and the session can be made fit', async (_, value, error) => {
    const failures: unknown[] = []
    const { lines } = await program(dropIn, { ...KEYS }, async (req) => {
      const session = sessionOf(req)
      session.text = value
      await (fresh(req).save() as Promise<void>).catch((thrown) => failures.push(thrown))
      await new Promise<void>((resolve) => {
        fresh(req).save((thrown) => resolve(void failures.push(thrown)))
      })
      session.text = 'short'
    })
    expect(dataIn(await lines())).toEqual({ text: 'short' })
    expect(failures).toMatchObject([error, error])
  })

  it('that nobody awaits is no unhandled rejection', async () => {
    const { browser } = await program(dropIn, { ...KEYS }, (req) => {
      sessionOf(req).text = 1n
      fresh(req).save()
    })
    expect((await browser().get('/')).status).toBe(500)
  })

  it('after the headers is refused if it has something to save', async () => {
    const answers: unknown[] = []
    const { lines } = await program(dropIn, { ...KEYS }, async (req, res) => {
      sessionOf(req).a = 1
      res.write('begun')
      const ask = () =>
        (fresh(req).save() as Promise<void>).then(
          () => 'saved',
          (error) => error.code,
        )
      answers.push(await ask())
      sessionOf(req).a = 2
      answers.push(await ask())
      res.end()
    })
    await lines()
    expect(answers).toEqual(['saved', 'ERR_HEADERS_SENT'])
  })
})
