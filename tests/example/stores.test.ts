import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runToEnd, SERVER, startApp, temporaryFolder } from './app-process.js'
import { Visitor } from './visitor.js'

describe.each(['cookie', 'jwt'])('STORE=%s npm start', (store) => {
  it('signs in and out, counts, and survives a restart, with no session on the disk', async () => {
    const data = temporaryFolder()
    const first = await startApp({ data, store })
    const visitor = new Visitor(first.url)
    expect(await visitor.views()).toBe(1)
    await visitor.token('/session/new')
    const planted = visitor.client.clone()
    expect((await visitor.signIn()).headers.location).toBe('/users')
    expect(await visitor.page('/users')).toContain('Ada Lovelace')
    // Who knew the cookie before the sign-in has an anonymous session, as before.
    expect((await planted.get('/users')).status).toBe(302)
    expect(await visitor.views()).toBe(2)
    expect(await first.stop()).toBe(0)

    const second = await startApp({ data, port: first.port, store })
    expect(await visitor.status('/users')).toBe(200)
    expect(await visitor.views()).toBe(3)
    await visitor.signOut()
    expect(visitor.client.jar.size).toBe(0)
    expect(await visitor.status('/users')).toBe(302)
    expect(await second.stop()).toBe(0)
    const kept = join(data, 'sessions')
    expect(existsSync(kept) ? readdirSync(kept) : []).toEqual([])
  })

  it('promises on its first page nothing that only a house with a list can do', async () => {
    const app = await startApp({ data: temporaryFolder(), store })
    const visitor = new Visitor(app.url)
    expect(await visitor.page('/')).not.toContain('opens nothing')
    await visitor.signIn()
    const page = await visitor.page('/')
    expect(page).toContain('your coat is in it too')
    expect(page).not.toMatch(/second browser|void at once/)
  })

  it('says on the page of devices that nobody keeps a list', async () => {
    const app = await startApp({ data: temporaryFolder(), store })
    const visitor = new Visitor(app.url)
    await visitor.signIn()
    const page = await visitor.page('/devices')
    expect(page).toContain('You carry your coat yourself')
    expect(page).not.toContain('data-testid="device"')
    const _csrf = await visitor.token('/devices')
    for (const path of ['/devices', '/devices/one']) {
      const answer = await visitor.submit(path, { _csrf, _method: 'DELETE' })
      expect(answer.status).toBe(404)
    }
  })
})

describe('STORE=sqlite:… npm start', () => {
  it('signs in and out, lists devices, and survives a restart', async () => {
    const data = temporaryFolder()
    const store = `sqlite:${join(data, 'kept.db')}`
    const first = await startApp({ data, store })
    const visitor = new Visitor(first.url)
    expect(await visitor.views()).toBe(1)
    expect((await visitor.signIn()).headers.location).toBe('/users')
    expect(await visitor.page('/devices')).toContain('data-testid="device"')
    expect(await first.stop()).toBe(0)
    // Closed, with nothing left beside it.
    expect(readdirSync(data).filter((name) => name.startsWith('kept'))).toEqual(['kept.db'])

    const second = await startApp({ data, port: first.port, store })
    expect(await visitor.status('/users')).toBe(200)
    await visitor.signOut()
    expect(await visitor.status('/users')).toBe(302)
    expect(await second.stop()).toBe(0)
  })

  it('says what is wrong with a file that cannot be opened', async () => {
    const data = temporaryFolder()
    const env = { PORT: '0', COATCHECK_DATA: data, STORE: `sqlite:${join(data, 'none/kept.db')}` }
    const { code, stderr } = await runToEnd([SERVER], env)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^Cannot use STORE=sqlite:… \(ENOENT\)\. Is there such a folder, .*$/m)
  })
})
