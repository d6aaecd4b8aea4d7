import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CookieStore } from '../../src/stores/cookie.js'
import { hasChromium, launchChromium } from '../support/chromium.js'
import { startApp, temporaryFolder } from './app-process.js'
import { cookiesIn, fill, shownOn, signIn, signOut, visitPockets } from './pocket-browser.js'

const store = new CookieStore({ keys: 'a key of the token stores, of 32 bytes and more' })

// The warning of large cookies.
beforeEach(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => {}))
afterEach(() => void vi.restoreAllMocks())

describe.skipIf(!hasChromium())('a browser that has its session', { timeout: 120_000 }, () => {
  it.each(['cookie', 'jwt'])('signs in and out of the example: STORE=%s', async (kind) => {
    const { url } = await startApp({ data: temporaryFolder(), store: kind })
    const browser = await launchChromium(temporaryFolder())
    const page = await browser.newPage()
    await page.goto(url)
    await page.goto(`${url}/session/new`)
    await page.getByLabel('Name').fill('ada')
    await page.getByLabel('Password').fill('bernoulli-numbers')
    await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL(`${url}/users`)
    await page.goto(url)
    expect(await page.getByTestId('views').textContent()).toBe('2')
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain('Ada')
    expect(Object.keys(await cookiesIn(browser))).toEqual(['sid'])

    await page.getByRole('button', { name: 'Sign out', exact: true }).click()
    await page.getByText('stranger').waitFor()
    await page.goto(`${url}/users`)
    expect(page.url()).toBe(`${url}/session/new`)
  })

  it('sees a clear error for 5 KB, and keeps the session as it was', async () => {
    const { browser, page } = await visitPockets({ store })
    await signIn(page)
    await fill(page, 1000)
    const before = await cookiesIn(browser)
    expect(Object.keys(before)).toEqual(['__Host-sid'])
    expect(await fill(page, 5000)).toBe('refused')
    expect(await page.getByRole('alert').textContent()).toMatch(
      /^ERR_COOKIE_TOO_LARGE: .* would have \d+ bytes, and browsers keep 4096; .* pockets \(5002\)/,
    )
    expect(await cookiesIn(browser)).toEqual(before)
    await page.getByRole('link', { name: 'Back' }).click()
    expect(await shownOn(page)).toEqual(['ada', 1000])
  })

  it('keeps every chunk of a session that grows to four, and none that is stale', async () => {
    const { browser, page } = await visitPockets({ store, chunks: 4 })
    await signIn(page)
    for (const [bytes, count] of [
      [5000, 2],
      [10_500, 4],
      [8000, 3],
      [5000, 2],
      [10, 1],
      [10_500, 4],
    ] as const) {
      expect(await fill(page, bytes)).toBe('filled')
      const chunks = Array.from({ length: count }, (_, index) => `__Host-sid.${index}`)
      const names = Object.keys(await cookiesIn(browser))
      expect(names).toEqual(count === 1 ? ['__Host-sid'] : chunks)
      await page.reload()
      expect(await shownOn(page)).toEqual(['ada', bytes])
    }
    await signOut(page)
    expect(await cookiesIn(browser)).toEqual({})
  })

  it('is never turned away for the size of what it was given', async () => {
    const { page, url } = await visitPockets({ store, chunks: 4 })
    await signIn(page)
    const answers = new Set<string>()
    let kept = 0
    for (let bytes = 9500; bytes <= 12_500; bytes += 500) {
      const answer = await fill(page, bytes)
      answers.add(answer)
      if (answer === 'filled') kept = bytes
      expect((await page.goto(url))?.status()).toBe(200)
      expect(await shownOn(page)).toEqual(['ada', kept])
    }
    expect([...answers]).toEqual(['filled', 'refused'])
  })
})
