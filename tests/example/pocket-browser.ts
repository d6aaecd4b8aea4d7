import type { BrowserContext, Page } from 'playwright-core'
import { session, type TokenSessionOptions } from '../../src/index.js'
import { bothServers } from '../cookies/two-servers.js'
import { launchChromium } from '../support/chromium.js'
import type { AnyData } from '../support/serve.js'
import { temporaryFolder } from './app-process.js'
import { pocketApp } from './pocket-app.js'

/** A browser on the page of an app whose sessions are with its visitors, over https. */
export async function visitPockets(options: TokenSessionOptions<AnyData>) {
  const { https } = await bothServers(pocketApp(session<AnyData>(options)))
  const browser = await launchChromium(temporaryFolder(), { ignoreHTTPSErrors: true })
  const page = await browser.newPage()
  const url = `https://127.0.0.1:${https}/`
  await page.goto(url)
  return { browser, page, url }
}

export async function signIn(page: Page): Promise<void> {
  await page.getByLabel('Name').fill('ada')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('Hello, ada').waitFor()
}

export async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('Hello, nobody').waitFor()
}

/** Sends the form, and waits for the page or for the alert. */
export async function fill(page: Page, bytes: number): Promise<'filled' | 'refused'> {
  await page.getByLabel('Bytes').fill(String(bytes))
  const answering = page.waitForResponse((response) => response.url().endsWith('/pockets'))
  await page.getByRole('button', { name: 'Fill' }).click()
  const isFilled = (await answering).status() < 400
  const shown = isFilled ? page.getByText(`pockets: ${bytes} bytes`) : page.getByRole('alert')
  await shown.waitFor()
  return isFilled ? 'filled' : 'refused'
}

/** Who it is, and how much is in the pockets. */
export async function shownOn(page: Page): Promise<[name: string | null, bytes: number]> {
  const name = await page.getByTestId('name').textContent()
  return [name, Number(await page.getByTestId('pockets').textContent())]
}

/** What the browser keeps, by name. */
export async function cookiesIn(browser: BrowserContext): Promise<Record<string, string>> {
  const cookies = await browser.cookies()
  return Object.fromEntries(cookies.map(({ name, value }) => [name, value]).sort())
}
