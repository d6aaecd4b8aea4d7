import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { CookieClient } from '../../../src/testing/index.js'
import { implementations } from '../implementations.js'
import { start } from './tutorial.js'

const text = async (browser: CookieClient, path: string) => (await browser.get(path)).text()
const follow = (browser: CookieClient, path: string) => browser.get(path, { redirect: 'follow' })

describe.each(implementations)('the programs of tutorials, on $name', (implementation) => {
  const { name } = implementation

  describe('page_views', () => {
    it('welcomes a visitor, and counts from the second page on', async () => {
      const tutorial = await start('page-views', implementation)
      const browser = tutorial.browser()
      expect(await text(browser, '/')).toBe('Welcome to this page for the first time!')
      expect(await text(browser, '/')).toBe('You visited this page 1 times')
      expect(await text(browser, '/')).toBe('You visited this page 2 times')
      expect(await text(tutorial.browser(), '/')).toBe('Welcome to this page for the first time!')
    })

    it('is told of the two options that it leaves out, in the words it may know', async () => {
      const { deprecations } = await start('page-views', implementation)
      expect(deprecations).toEqual([
        'express-session undefined resave option; provide resave option',
        'express-session undefined saveUninitialized option; provide saveUninitialized option',
      ])
    })
  })

  it('data set in one handler is there in the next, with all that is nested in it', async () => {
    const tutorial = await start('two-handlers', implementation)
    const browser = tutorial.browser()
    const visitor = { name: 'Ada', address: { city: 'London', lines: ['12 St James Square'] } }
    expect((await browser.get('/')).json()).toEqual(visitor)
    expect(await text(browser, '/move/Paris')).toBe('Ada lives in Paris')
    visitor.address = { city: 'Paris', lines: ['12 St James Square', 'moved'] }
    expect((await browser.get('/')).json()).toEqual(visitor)
    // Not even of the secret, which is short enough to be guessed.
    expect(tutorial.warnings).toEqual([])
  })

  describe('session-file-store', () => {
    it('made with new keeps the sessions in ./sessions, over a restart', async () => {
      const folder = inNewFolder()
      const browser = (await start('file-store', implementation)).browser()
      expect(await text(browser, '/')).toBe('Views: 1')
      expect(await text(browser, '/')).toBe('Views: 2')
      const files = readdirSync(join(folder, 'sessions'))
      expect(files).toHaveLength(1)
      const record = JSON.parse(readFileSync(join(folder, 'sessions', files[0]!), 'utf8'))
      expect(record.views).toBe(2)

      const restarted = await start('file-store', implementation)
      const cookie = browser.jar.header(`${browser.origin}/`)!
      const page = await restarted.browser().get('/', { headers: { cookie } })
      expect(page.text()).toBe('Views: 3')
    })

    it('called without new gives nothing, and the program runs in memory', async () => {
      const folder = inNewFolder()
      const globals = new Set(Reflect.ownKeys(globalThis))
      // The old factory takes the global object for its own when it is called like that.
      onTestFinished(() => {
        const added = Reflect.ownKeys(globalThis).filter((key) => !globals.has(key))
        for (const key of added) Reflect.deleteProperty(globalThis, key)
      })
      const tutorial = await start('file-store-without-new', implementation)
      const browser = tutorial.browser()
      expect(await text(browser, '/')).toBe('Views: 1')
      expect(await text(browser, '/')).toBe('Views: 2')
      expect(readdirSync(join(folder, 'sessions'))).toEqual([])
      const told = tutorial.warnings.filter((warning) => /\boption\b.*\bstore\b/.test(warning))
      expect(told).toHaveLength(name === 'coatcheck' ? 1 : 0)
    })
  })

  describe('members', () => {
    const login = (browser: CookieClient, member: string) =>
      browser.post('/login', { body: new URLSearchParams({ name: member }), redirect: 'follow' })

    it('has the document of the user in the session when the redirect arrives', async () => {
      const browser = (await start('members', implementation)).browser()
      const profile = await login(browser, 'ada')
      expect(new URL(profile.url).pathname).toBe('/profile')
      expect(profile.json()).toEqual({
        _id: expect.stringMatching(/^[\da-f]{24}$/),
        name: 'ada',
        roles: ['admin'],
      })
      expect((await browser.get('/profile')).json()).toEqual(profile.json())
      expect(await text(browser, '/')).toBe('Hello ada')
    })

    it('lets nobody in who is unknown, and keeps two members apart', async () => {
      const { browser: open } = await start('members', implementation)
      const [ada, eve, nobody] = [open(), open(), open()]
      await login(ada, 'ada')
      await login(eve, 'eve')
      expect((await login(nobody, 'bob')).text()).toBe('Please sign in')
      expect(await text(ada, '/')).toBe('Hello ada')
      expect(await text(eve, '/')).toBe('Hello eve')
    })

    it.each(['/logout', '/logout/destroy', '/logout/null', '/logout/delete'])(
      'signs out by %s, also whoever has a copy of the cookie',
      async (path) => {
        const browser = (await start('members', implementation)).browser()
        await login(browser, 'ada')
        const copy = browser.clone()
        expect((await follow(browser, path)).text()).toBe('Please sign in')
        expect(await text(copy, '/')).toBe('Please sign in')
        expect((await follow(browser, path)).text()).toBe('Please sign in')
        expect((await login(browser, 'eve')).json()).toMatchObject({ name: 'eve' })
      },
    )
  })
})

describe.each(implementations)('the examples of the manual, on $name', (implementation) => {
  it('count the views of each path', async () => {
    const browser = (await start('views-by-path', implementation)).browser()
    expect(await text(browser, '/foo')).toBe('you viewed this page 1 times')
    expect(await text(browser, '/foo')).toBe('you viewed this page 2 times')
    expect(await text(browser, '/bar')).toBe('you viewed this page 1 times')
    expect(await text(browser, '/foo')).toBe('you viewed this page 3 times')
  })

  describe('of a login with regenerate and save', () => {
    const login = (browser: CookieClient) =>
      browser.post('/login', { body: new URLSearchParams({ user: 'ada' }), redirect: 'follow' })

    it('greet after the login, under another id', async () => {
      const browser = (await start('login', implementation)).browser()
      expect(await text(browser, '/')).toContain('<form')
      const planted = browser.clone()
      expect((await login(browser)).text()).toBe('hello, ada!')
      expect(await text(browser, '/')).toBe('hello, ada!')
      expect(await text(planted, '/')).toContain('<form')
    })

    it('show the form after the logout, whoever asks', async () => {
      const browser = (await start('login', implementation)).browser()
      await login(browser)
      const copy = browser.clone()
      expect((await follow(browser, '/logout')).text()).toContain('<form')
      expect(await text(browser, '/')).toContain('<form')
      expect(await text(copy, '/')).toContain('<form')
    })
  })

  describe('of session.cookie', () => {
    const lifeIn = (line: string | undefined) => {
      const [, date] = /; Expires=([^;]+)/.exec(line ?? '') ?? []
      return date && Math.round((Date.parse(date) - Date.now()) / 60_000)
    }

    it('tell the time that is left', async () => {
      const browser = (await start('cookie', implementation)).browser()
      const first = await browser.get('/')
      expect(first.text()).toMatch(/^views: 1, expires in (60|59\.\d+) s$/)
      expect(lifeIn(first.setCookies[0])).toBe(1)
      expect(await text(browser, '/')).toMatch(/^views: 2, expires in (60|59\.\d+) s$/)
      expect((await browser.get('/original')).json()).toEqual([
        expect.toSatisfy((life: number) => life === 60_000 || life === 59_999),
        true,
        '/',
      ])
    })

    it.each(['expires', 'maxAge'])('give a session an hour by %s', async (how) => {
      const browser = (await start('cookie', implementation)).browser()
      await browser.get('/')
      const given = await browser.get(`/hour/${how}`)
      expect(given.text()).toBe('3600 s')
      expect(lifeIn(given.setCookies[0])).toBe(60)
    })

    it('keep the hour by maxAge for the requests that follow', async () => {
      const browser = (await start('cookie', implementation)).browser()
      await browser.get('/hour/maxAge')
      expect(await text(browser, '/')).toMatch(/expires in (3600|3599\.\d+) s$/)
    })

    it('let a session end with the browser by expires = false', async () => {
      const browser = (await start('cookie', implementation)).browser()
      await browser.get('/')
      const [line] = (await browser.get('/browser')).setCookies
      expect(line).toMatch(/^connect\.sid=.*; Path=\/; HttpOnly$/)
      expect(await text(browser, '/')).toBe('views: 2, expires with the browser')
      browser.dropSessionCookies()
      expect(await text(browser, '/')).toMatch(/^views: 1,/)
    })
  })

  describe('of reload', () => {
    it('put back what is stored', async () => {
      const browser = (await start('reload', implementation)).browser()
      expect(await text(browser, '/name/ada')).toBe('ok')
      expect((await browser.get('/reload')).json()).toEqual({ name: 'ada' })
      expect((await browser.get('/')).json()).toEqual({ name: 'ada' })
      expect((await browser.get('/touch')).json()).toBe(true)
    })

    it('fail where nothing is stored yet', async () => {
      const browser = (await start('reload', implementation)).browser()
      const failed = await browser.get('/reload')
      expect(failed.status).toBe(500)
      expect(failed.text()).toContain('failed to load session')
    })
  })
})

/** Makes a new folder the working one, as long as the test runs. */
function inNewFolder(): string {
  const before = process.cwd()
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'coatcheck-tutorial-')))
  process.chdir(folder)
  onTestFinished(() => {
    process.chdir(before)
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  })
  return folder
}
