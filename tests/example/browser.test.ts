import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { hasChromium, launchChromium as launch } from '../support/chromium.js'
import { startApp, temporaryFolder } from './app-process.js'

describe.skipIf(!hasChromium())('the example in a real browser', { timeout: 120_000 }, () => {
  it('knows a visitor after the browser was closed and the server restarted', async () => {
    const data = temporaryFolder()
    const profile = temporaryFolder()
    const first = await startApp({ data })

    let browser = await launch(profile)
    let page = await browser.newPage()
    await page.goto(first.url)
    expect(await views(page)).toBe(1)
    await page.reload()
    expect(await views(page)).toBe(2)
    await signIn(page, first.url)
    await page.getByRole('link', { name: 'Home' }).click()
    expect(await views(page)).toBe(3)

    await browser.close()
    expect(await first.stop('SIGKILL')).toBe('SIGKILL')
    await startApp({ data, port: first.port })
    browser = await launch(profile)
    page = await browser.newPage()

    await page.goto(`${first.url}/users`)
    expect(page.url()).toBe(`${first.url}/users`)
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain('Guests')
    await page.goto(first.url)
    expect(await views(page)).toBe(4)
  })

  it('shows nothing private after a sign-out, by the back button or by a reload', async () => {
    const { url } = await startApp({ data: temporaryFolder() })
    const browser = await launch(temporaryFolder())
    const page = await browser.newPage()
    await signIn(page, url)
    await page.goto(`${url}/devices`)
    await page.getByRole('button', { name: 'Sign out', exact: true }).click()
    await page.getByText('stranger').waitFor()

    // The page is not in a cache (no-store), so "back" asks the server, and the server asks who.
    await page.goBack()
    await page.waitForURL(`${url}/session/new`)
    expect(await page.getByText('My devices').count()).toBe(0)
    await page.goto(`${url}/devices`)
    expect(page.url()).toBe(`${url}/session/new`)
    await page.reload()
    expect(page.url()).toBe(`${url}/session/new`)
  })

  it('sends another browser away from "my devices"', async () => {
    const { url } = await startApp({ data: temporaryFolder() })
    const [here, there] = await Promise.all([launch(temporaryFolder()), launch(temporaryFolder())])
    const [mine, other] = await Promise.all([here.newPage(), there.newPage()])
    await signIn(mine, url)
    await mine.goto(`${url}/devices`)
    expect(await mine.getByTestId('device').count()).toBe(1)

    await signIn(other, url)
    await mine.reload()
    expect(await mine.getByTestId('device').count()).toBe(2)
    await mine.getByRole('button', { name: /^Sign out .*, ticket/ }).click()
    await mine.getByText('You are signed in nowhere else').waitFor()
    expect(await mine.getByTestId('device').count()).toBe(1)

    await other.reload()
    expect(other.url()).toBe(`${url}/session/new`)
    await other.goto(url)
    expect(await views(other)).toBe(1)
    await mine.goto(`${url}/users`)
    expect(mine.url()).toBe(`${url}/users`)
  })

  it('takes a wrong password, keyboard only and at 360 px, without a word on the console', async () => {
    const { url } = await startApp({ data: temporaryFolder() })
    const browser = await launch(temporaryFolder())
    const page = await browser.newPage()
    await page.setViewportSize({ width: 360, height: 720 })
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))

    await page.goto(`${url}/session/new`)
    await page.getByLabel('Name').focus()
    await page.keyboard.type('ada')
    await page.keyboard.press('Tab')
    await page.keyboard.type('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').waitFor()
    expect(await page.getByLabel('Name').inputValue()).toBe('ada')
    await page.getByLabel('Password').fill('bernoulli-numbers')
    await page.keyboard.press('Enter')
    await page.waitForURL(`${url}/users`)

    for (const path of ['/', '/users', '/devices', '/nowhere']) {
      await page.goto(url + path)
      const width = await page.evaluate<number>('document.documentElement.scrollWidth')
      expect(width, `the width of ${path}`).toBeLessThanOrEqual(360)
    }
    // Chromium reports every 4xx page there; a blocked style or script would be something else.
    expect(complaints.filter((text) => !text.startsWith('Failed to load resource'))).toEqual([])
  })
})

async function signIn(page: Page, url: string) {
  await page.goto(`${url}/session/new`)
  await page.getByLabel('Name').fill('ada')
  await page.getByLabel('Password').fill('bernoulli-numbers')
  await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL(`${url}/users`)
}

async function views(page: Page): Promise<number> {
  return Number(await page.getByTestId('views').textContent())
}
