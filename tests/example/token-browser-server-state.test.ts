import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { CookieClient } from '../../src/testing/index.js'
import { hasChromium } from '../support/chromium.js'
import { cookiesIn, fill, shownOn, signIn, signOut, visitPockets } from './pocket-browser.js'

const tokens = () => new CookieStore({ keys: 'a key of the token stores, of 32 bytes and more' })

/** Whoever has a copy of the cookies, and what the page shows to them. */
async function pageFor(url: string, cookies: Readonly<Record<string, string>>): Promise<string> {
  const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${value}`)
  const thief = new CookieClient(url, { rejectUnauthorized: false })
  return (await thief.get('/', { headers: { cookie: cookie.join('; ') } })).text()
}

describe.skipIf(!hasChromium())('a browser and a server', { timeout: 120_000 }, () => {
  it('share a session that is too large for a cookie', async () => {
    const { browser, page } = await visitPockets({ store: tokens(), overflow: new MemoryStore() })
    await signIn(page)
    for (const bytes of [1000, 50_000, 100]) {
      expect(await fill(page, bytes)).toBe('filled')
      const kept = Object.entries(await cookiesIn(browser))
      expect(kept.map(([name]) => name)).toEqual(['__Host-sid'])
      expect(kept[0]![1].length).toBeLessThan(4096)
      await page.reload()
      expect(await shownOn(page)).toEqual(['ada', bytes])
    }
    await signOut(page)
    expect(await cookiesIn(browser)).toEqual({})
  })

  it('end a session for those who copied its cookie, too', async () => {
    const { browser, page, url } = await visitPockets({
      store: tokens(),
      revocations: new MemoryStore(),
    })
    await signIn(page)
    const copied = await cookiesIn(browser)
    expect(await pageFor(url, copied)).toContain('>ada<')
    await signOut(page)
    expect(await cookiesIn(browser)).toEqual({})
    expect(await pageFor(url, copied)).toContain('>nobody<')
  })
})
