import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CookieClient } from '../../src/testing/index.js'
import { EXPRESS_SESSION_SERVER, sharedApp } from './app-process.js'

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))

/** The program as it was before its one line changed; in here it finds its packages. */
function beforeTheMove(): { script: string; remove(): void } {
  mkdirSync(join(modules, '.cache'), { recursive: true })
  const folder = mkdtempSync(join(modules, '.cache/coatcheck-example-'))
  const script = join(folder, 'server.cjs')
  const text = readFileSync(EXPRESS_SESSION_SERVER, 'utf8')
  writeFileSync(
    script,
    text.replace("require('coatcheck/express-session')", "require('express-session')"),
  )
  return { script, remove: () => rmSync(folder, { recursive: true }) }
}

const before = beforeTheMove()
afterAll(() => before.remove())

describe.each([
  ['the drop-in', EXPRESS_SESSION_SERVER],
  ['express-session, as it was', before.script],
])('the counter on %s', (_, script) => {
  let house: Awaited<ReturnType<typeof sharedApp>>
  beforeAll(async () => {
    house = await sharedApp(script)
    return house.close
  })

  const visitor = () => new CookieClient(house.app.url)
  const page = async (client: CookieClient) => (await client.get('/')).text()

  it('counts for each visitor', async () => {
    const [ada, bob] = [visitor(), visitor()]
    expect(await page(ada)).toContain('You have seen this page 1 times.')
    expect(await page(ada)).toContain('You have seen this page 2 times.')
    expect(await page(bob)).toContain('You have seen this page 1 times.')
  })

  it('greets who has signed in, under a new id, and forgets who has signed out', async () => {
    const ada = visitor()
    const id = () => ada.jar.header(`${house.app.url}/`)
    await page(ada)
    const anonymous = id()
    expect(anonymous).toMatch(/^connect\.sid=s%3A/)

    const body = new URLSearchParams({ name: 'Ada <3' })
    const { status, headers } = await ada.post('/sign-in', { body })
    expect([status, headers.location]).toEqual([302, '/'])
    expect(id()).not.toBe(anonymous)
    expect(await page(ada)).toContain('Hello Ada &#60;3. You have seen this page 1 times.')

    const signedIn = id()!
    expect((await ada.post('/sign-out')).status).toBe(302)
    const stolen = await ada.get('/', { headers: { cookie: signedIn } })
    expect(stolen.text()).toContain('Hello. You have seen this page 1 times.')
  })
})
