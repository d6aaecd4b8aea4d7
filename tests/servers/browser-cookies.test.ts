import type { BrowserContext } from 'playwright-core'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type CookieOptions, session } from '../../src/index.js'
import { allowed, SITE } from '../cookies/combinations.js'
import { bothServers } from '../cookies/two-servers.js'
import { temporaryFolder } from '../example/app-process.js'
import { hasChromium, launchChromium } from '../support/chromium.js'
import { type AnyData, SECRET } from '../support/serve.js'

afterEach(() => void vi.restoreAllMocks())

describe.skipIf(!hasChromium())('a real browser', { timeout: 120_000 }, () => {
  it('keeps and sends every cookie that the settings allow, and drops Secure over http', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const ports = await bothServers(everyCombination())
    const browser = await launchChromium(temporaryFolder(), {
      ignoreHTTPSErrors: true,
      // Not localhost: browsers take that for secure, even over http.
      args: [`--host-resolver-rules=MAP *.${SITE} 127.0.0.1`],
    })
    for (const [index, [options, http, https]] of allowed.entries()) {
      const path = options.path?.replace(/\/?$/, '/') ?? '/'
      for (const [scheme, line] of Object.entries({ http, https })) {
        const origin = `${scheme}://row-${index}.${SITE}:${ports[scheme as 'http' | 'https']}`
        const isKept = scheme === 'https' || !line.includes('; Secure')
        const about = `${JSON.stringify(options)} over ${scheme}`
        const [first, second] = await twoVisits(browser, origin + path)
        expect(first, about).toBe('new')
        expect(second, about).toBe(isKept ? 'known' : 'new')
        expect(await shownBy(browser), about).toEqual(isKept ? [asKept(line, index)] : [])
        await browser.clearCookies()
      }
    }
  })

  it('keeps a Secure cookie over http from localhost, so secure: true works in development', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const ports = await bothServers(everyCombination())
    const browser = await launchChromium(temporaryFolder())
    const index = allowed.findIndex(([options]) => options.secure === true)
    const visits = await twoVisits(browser, `http://row-${index}.localhost:${ports.http}/`)
    expect(visits).toEqual(['new', 'known'])
  })
})

/** One manager for each row of the table, found by the host name. */
function everyCombination(): Parameters<typeof bothServers>[0] {
  const managers = allowed.map(([cookie]: [CookieOptions, ...unknown[]]) =>
    session<AnyData>({ secret: SECRET, cookie }),
  )
  return (req, res) => {
    const index = Number(/^row-(\d+)\./.exec(req.headers.host ?? '')?.[1])
    const sessions = managers[index]!
    sessions(req, res, () => {
      const current = sessions.of(req).session
      const known = current.known === true
      if (req.url !== '/favicon.ico') current.known = true
      res.setHeader('Content-Type', 'text/html')
      res.end(known ? 'known' : 'new')
    })
  }
}

async function twoVisits(browser: BrowserContext, url: string): Promise<(string | null)[]> {
  const page = browser.pages()[0] ?? (await browser.newPage())
  const bodies: (string | null)[] = []
  for (const _ of [1, 2]) {
    await page.goto(url)
    bodies.push(await page.textContent('body'))
  }
  return bodies
}

interface Kept {
  readonly name: string
  readonly domain: string
  readonly path: string
  readonly secure: boolean
  readonly httpOnly: boolean
  readonly sameSite: string
  readonly dated: boolean
}

async function shownBy(browser: BrowserContext): Promise<Kept[]> {
  const cookies = await browser.cookies()
  return cookies.map(({ name, domain, path, secure, httpOnly, sameSite, expires }) => {
    return { name, domain, path, secure, httpOnly, sameSite, dated: expires > 0 }
  })
}

/** What of a Set-Cookie line a browser shows of the cookie. */
function asKept(line: string, index: number): Kept {
  const value = (attribute: string) => new RegExp(`; ${attribute}=([^;]*)`).exec(line)?.[1]
  return {
    name: line.slice(0, line.indexOf('=T')),
    domain: value('Domain')?.replace(/^\.?/, '.') ?? `row-${index}.${SITE}`,
    path: value('Path')!,
    secure: line.includes('; Secure'),
    httpOnly: line.includes('; HttpOnly'),
    sameSite: value('SameSite')!,
    dated: value('Max-Age') !== undefined,
  }
}
