import express from 'express'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { cookieSession } from '../../src/cookie-session/index.js'
import { CookieClient, CookieJar } from '../../src/testing/index.js'
import { codeBlocks, read } from '../support/docs.js'
import { serve } from '../support/serve.js'
import { testLinks, titlesIn } from '../support/test-titles.js'
import { type Implementation, real } from './implementations.js'

const page = read('docs/cookie-session.md')
const keys = ['8 bytes.']

/** The blocks of the section, as they are printed. */
function steps(): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith('Encrypting the cookie'))
  return codeBlocks(section ?? '').map(({ code }) => code)
}

/** A process whose sessions are made by a piece of program. */
async function running(use: (app: express.Express) => void): Promise<string> {
  const app = express()
  use(app)
  app.get('/sign-in', (req, res) => {
    ;(req.session as { user?: string }).user = 'ada'
    res.end()
  })
  app.get('/', (req, res) => void res.json(req.session))
  return (await serve(app)).origin
}

const runStep = (code: string) =>
  running((app) => new Function('app', 'cookieSession', 'keys', code)(app, cookieSession, keys))
const runOld = (how: Implementation['session']) => running((app) => void app.use(how({ keys })))

describe('the page on cookie-session', () => {
  it.each(testLinks(page))('names a test that is run: $path "$name"', ({ path, name }) => {
    expect(titlesIn(read(path)).some((title) => title.includes(name))).toBe(true)
  })
})

describe('the move to encrypted cookies', () => {
  it('is done by these lines, and signs nobody out', async () => {
    vi.stubEnv('SESSION_KEY', 'a key for encrypted sessions, of 32 bytes')
    onTestFinished(() => void vi.unstubAllEnvs())
    const [reads, sends, encrypted, ...rest] = await Promise.all(steps().map(runStep))
    expect(rest).toEqual([])
    const before = await runOld(real.session)
    const jar = new CookieJar()
    // Cookies know no ports, so one jar serves all of them.
    const ask = (origin: string | undefined, path = '/') =>
      new CookieClient(origin!, { jar }).get(path)
    await ask(before, '/sign-in')
    const kept = jar.clone()
    for (const origin of [before, reads, before, reads, sends, reads, sends, encrypted, sends]) {
      expect((await ask(origin)).json()).toEqual({ user: 'ada' })
    }
    expect([...jar].map(({ name }) => name)).toEqual(['session'])
    // And the way back.
    for (const origin of [reads, before]) {
      expect((await ask(origin)).json()).toEqual({ user: 'ada' })
    }
    const copy = new CookieClient(encrypted!, { jar: kept })
    expect((await copy.get('/')).json()).toEqual({})
  })
})
