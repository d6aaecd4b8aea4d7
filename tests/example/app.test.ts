import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { sharedApp, startApp, temporaryFolder } from './app-process.js'
import { Visitor } from './visitor.js'

// One server for all: a visitor is known by its cookies only, so the tests do not meet.
let house: Awaited<ReturnType<typeof sharedApp>>
beforeAll(async () => {
  house = await sharedApp()
  return house.close
})

function newVisitor() {
  return new Visitor(house.app.url)
}

describe('signing in', () => {
  it('opens the guarded page and gives the cookie a new value', async () => {
    const visitor = newVisitor()
    const refused = await visitor.client.get('/users')
    expect([refused.status, refused.headers.location]).toEqual([302, '/session/new'])

    await visitor.token('/session/new')
    const before = visitor.client.jar.header(new URL(visitor.client.origin))
    const planted = visitor.client.clone()
    const response = await visitor.signIn()
    expect([response.status, response.headers.location]).toEqual([302, '/users'])
    expect(visitor.client.jar.header(new URL(visitor.client.origin))).not.toBe(before)
    expect(await visitor.page('/users')).toContain('Ada Lovelace')
    // Whoever knew the cookie before the sign-in has nothing now.
    expect((await planted.get('/users')).status).toBe(302)
  })

  it('sends a cookie that outlives the browser', async () => {
    const visitor = newVisitor()
    const { setCookies } = await visitor.signIn()
    expect(setCookies).toHaveLength(1)
    expect(setCookies[0]).toMatch(/^sid=[^;]+;/)
    for (const part of ['HttpOnly', 'SameSite=Lax', 'Max-Age=', 'Expires=', 'Path=/']) {
      expect(setCookies[0]).toContain(part)
    }
    visitor.client.dropSessionCookies()
    expect(await visitor.status('/users')).toBe(200)
  })

  it('answers a wrong name and a wrong password alike', async () => {
    const visitor = newVisitor()
    const wrongPassword = await visitor.signIn('ada', 'wrong')
    const wrongName = await visitor.signIn('bob', 'wrong')
    expect([wrongPassword.status, wrongName.status]).toEqual([422, 422])
    const plain = (html: string, login: string) => html.replace(`value="${login}"`, '')
    expect(plain(wrongName.text(), 'bob')).toBe(plain(wrongPassword.text(), 'ada'))
    expect(wrongName.text()).toContain('role="alert"')
    expect(await visitor.status('/users')).toBe(302)
  })

  it('is refused for a while after five wrong passwords, for this name only', async () => {
    // A server of its own, because this one locks ada out.
    const visitor = new Visitor((await startApp({ data: temporaryFolder() })).url)
    const guesses = await Promise.all(
      Array.from({ length: 7 }, () => visitor.signIn('ada', 'wrong')),
    )
    expect(guesses.map(({ status }) => status).sort()).toEqual([422, 422, 422, 422, 422, 429, 429])
    const right = await visitor.signIn()
    expect(right.status).toBe(429)
    expect(Number(right.headers['retry-after'])).toBeGreaterThan(0)
    expect((await visitor.signIn('grace', 'eleven-inches-of-wire')).status).toBe(302)
  })

  it('shows what was typed as text, never as markup', async () => {
    const visitor = newVisitor()
    const typed = `"><script>alert('1')</script>&`
    const html = (await visitor.signIn(typed, 'wrong')).text()
    expect(html).not.toContain('<script')
    expect(html).toContain('value="&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;"')
  })

  it('takes a form field that is sent twice for an empty one', async () => {
    const visitor = newVisitor()
    const _csrf = await visitor.token('/session/new')
    const body = `_csrf=${_csrf}&login=ada&login=ada&password=a&password=b`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await visitor.client.post('/session', { body, headers })).status).toBe(422)
  })
})

describe('signing out', () => {
  it('ends the session, by a form and by DELETE', async () => {
    const visitor = newVisitor()
    await visitor.signIn()
    const copy = visitor.client.clone()
    const response = await visitor.signOut()
    expect([response.status, response.headers.location]).toEqual([302, '/'])
    expect(visitor.client.jar.header(new URL(visitor.client.origin))).toBeFalsy()
    expect((await copy.get('/users')).status).toBe(302)

    await visitor.signIn()
    const headers = { 'x-csrf-token': await visitor.token('/') }
    await visitor.client.request('/session', { method: 'DELETE', headers })
    expect(await visitor.status('/users')).toBe(302)
  })
})

describe('forms from elsewhere', () => {
  it.each([
    ['without a token', undefined],
    ['with a wrong token', 'A'.repeat(43)],
    ['with an empty token', ''],
  ])('are refused %s', async (_case, _csrf) => {
    const visitor = newVisitor()
    const fields = { _csrf, login: 'ada', password: 'bernoulli-numbers' }
    expect((await visitor.submit('/session', fields)).status).toBe(403)
    await visitor.token('/session/new')
    expect((await visitor.submit('/session', fields)).status).toBe(403)
    await visitor.signIn()
    expect((await visitor.submit('/session', { _csrf, _method: 'DELETE' })).status).toBe(403)
    expect((await visitor.submit('/devices', { _csrf, _method: 'DELETE' })).status).toBe(403)
    expect(await visitor.status('/users')).toBe(200)
  })

  it.each([
    ['a cross-site request', { 'sec-fetch-site': 'cross-site' }],
    ['a neighbour on the same site', { 'sec-fetch-site': 'same-site' }],
    ['another origin', { origin: 'https://evil.example' }],
    ['an origin that hides', { origin: 'null' }],
  ])('are refused from %s, even with the right token', async (_case, headers) => {
    const visitor = newVisitor()
    expect((await visitor.signIn('ada', 'bernoulli-numbers', headers)).status).toBe(403)
    const same = { origin: visitor.client.origin, 'sec-fetch-site': 'same-origin' }
    expect((await visitor.signIn('ada', 'bernoulli-numbers', same)).status).toBe(302)
  })

  it('cannot use a token from before the sign-in', async () => {
    const visitor = newVisitor()
    const _csrf = await visitor.token('/session/new')
    await visitor.signIn()
    expect((await visitor.submit('/session', { _csrf, _method: 'DELETE' })).status).toBe(403)
  })
})

describe('my devices', () => {
  const PHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1'

  async function twoDevices() {
    const [visitor, phone] = [newVisitor(), newVisitor()]
    await phone.signIn('ada', 'bernoulli-numbers', { 'user-agent': PHONE })
    // Other tests have left ada signed in elsewhere.
    await phone.submit('/devices', { _csrf: await phone.token('/devices'), _method: 'DELETE' })
    await visitor.signIn('ada', 'bernoulli-numbers', { 'user-agent': 'curl/8.0' })
    return { visitor, phone }
  }

  it('lists each place with its own name, and marks this one', async () => {
    const { visitor } = await twoDevices()
    const html = await visitor.page('/devices')
    expect(html.match(/data-testid="device"/g)).toHaveLength(2)
    expect(html.indexOf('This device')).toBeGreaterThan(html.indexOf('curl'))
    expect(html.indexOf('This device')).toBeLessThan(html.indexOf('Safari on iPhone'))
  })

  it('ends one: its next request is anonymous', async () => {
    const { visitor, phone } = await twoDevices()
    const html = await visitor.page('/devices')
    const action = /action="(\/devices\/[^"]+)"/.exec(html)?.[1] ?? ''
    const _csrf = await visitor.token('/devices')
    const response = await visitor.submit(action, { _csrf, _method: 'DELETE' })
    expect([response.status, response.headers.location]).toEqual([302, '/devices'])
    expect(await phone.status('/users')).toBe(302)
    expect(await visitor.status('/users')).toBe(200)
  })

  it('ends all others and not this one', async () => {
    const { visitor, phone } = await twoDevices()
    const _csrf = await visitor.token('/devices')
    await visitor.submit('/devices', { _csrf, _method: 'DELETE' })
    expect(await phone.status('/users')).toBe(302)
    expect(await visitor.status('/users')).toBe(200)
  })

  it('lets nobody end the session of somebody else', async () => {
    const { visitor, phone } = await twoDevices()
    const action = /action="(\/devices\/[^"]+)"/.exec(await visitor.page('/devices'))?.[1] ?? ''
    const grace = newVisitor()
    await grace.signIn('grace', 'eleven-inches-of-wire')
    const _csrf = await grace.token('/devices')
    expect((await grace.submit(action, { _csrf, _method: 'DELETE' })).status).toBe(404)
    expect(await phone.status('/users')).toBe(200)
  })
})

describe('every page', () => {
  const PAGES = ['/', '/session/new', '/users', '/devices', '/nowhere']

  it('is a whole HTML document with a language, a title of its own and labelled fields', async () => {
    const [stranger, ada] = [newVisitor(), newVisitor()]
    await ada.signIn()
    const shown = [
      ...(await Promise.all(PAGES.slice(1).map((path) => ada.page(path)))),
      await ada.page('/'),
      ...(await Promise.all(['/', '/session/new', '/nowhere'].map((path) => stranger.page(path)))),
    ].filter((html) => html !== '' && !html.startsWith('Found'))

    for (const html of shown) {
      expect(html).toMatch(/^<!doctype html>\n<html lang="en">/)
      expect(html).toMatch(/<title>[^<]+ · Coatcheck<\/title>/)
      expect(html).toContain('name="viewport"')
      expect(html.match(/<h1/g)).toHaveLength(1)
      expect(html.match(/<main/g)).toHaveLength(1)
      expect(html).not.toMatch(/undefined|\[object|<script|style="/)
      for (const [, id] of html.matchAll(/<input id="([^"]+)"/g)) {
        expect(html).toContain(`<label for="${id}">`)
      }
      expect(openTags(html)).toEqual([])
    }
    const titles = shown.map((html) => /<title>(.*)<\/title>/.exec(html)?.[1])
    expect(new Set(titles).size).toBe(5)
  })

  it.each(PAGES)('forbids caches, frames and scripts: %s', async (path) => {
    const visitor = newVisitor()
    await visitor.signIn()
    const { headers } = await visitor.client.get(path)
    expect(headers['cache-control']).toBe('no-store')
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['x-powered-by']).toBeUndefined()
  })

  it('has the words for a missing page, a broken body and a heavy one', async () => {
    const visitor = newVisitor()
    expect(await visitor.status('/nowhere')).toBe(404)
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const heavy = await visitor.client.post('/session', { body: 'a'.repeat(20_000), headers })
    expect([heavy.status, heavy.text()]).toEqual([413, expect.stringContaining('too heavy')])
    const odd = { ...headers, 'content-encoding': 'odd' }
    const broken = await visitor.client.post('/session', { body: 'a=1', headers: odd })
    expect([broken.status, broken.text()]).toEqual([415, expect.stringContaining('not read')])
  })
})

describe('a store that fails', () => {
  it('gives an error page without details and without a cookie, and static files go on', async () => {
    const data = temporaryFolder()
    const visitor = new Visitor((await startApp({ data, quiet: true })).url)
    await visitor.signIn()
    const stranger = new Visitor(visitor.client.origin)
    // A file where the folder was: every operation fails, for root as well.
    rmSync(join(data, 'sessions'), { recursive: true })
    writeFileSync(join(data, 'sessions'), '')

    for (const { client } of [visitor, stranger]) {
      const response = await client.get('/')
      expect(response.status).toBeGreaterThanOrEqual(500)
      expect(response.setCookies).toEqual([])
      expect(response.text()).toMatch(/^<!doctype html>.*Please try again/s)
      expect(response.text()).not.toMatch(/ENOTDIR|sessions\/| at /)
    }
    expect(await visitor.status('/style.css')).toBe(200)
  })
})

describe('what is kept', () => {
  it('is nothing at all for a visitor who only meets pages without data', async () => {
    const visitor = newVisitor()
    for (const path of ['/nowhere', '/users', '/style.css', '/favicon.svg']) {
      const { setCookies } = await visitor.client.get(path)
      expect(setCookies).toEqual([])
    }
  })

  it('holds neither a password nor the cookie', async () => {
    const visitor = newVisitor()
    await visitor.signIn()
    const cookie = visitor.client.jar.header(new URL(visitor.client.origin)) ?? ''
    const id =
      decodeURIComponent(cookie)
        .replace(/^sid=(s:)?/, '')
        .split('.')[0] ?? ''
    expect(id.length).toBeGreaterThan(20)
    const files = readdirSync(house.data, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
    expect(files.length).toBeGreaterThan(2)
    for (const file of files) {
      expect(`${file} ${readFileSync(file, 'utf8')}`).not.toContain(id)
      expect(readFileSync(file, 'utf8')).not.toContain('bernoulli-numbers')
    }
  })
})

/** The elements of a document that are not closed, or closed in the wrong order. */
function openTags(html: string): string[] {
  const open: string[] = []
  for (const [, slash, name = ''] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
    if (['meta', 'link', 'img', 'input'].includes(name)) continue
    if (slash === '') open.push(name)
    else if (open.at(-1) === name) open.pop()
    else open.push(`/${name}`)
  }
  return open
}
