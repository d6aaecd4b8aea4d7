import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream'
import expressSession from 'express-session'
import Memcached from 'memcached'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemcachedStore, type MemcachedStoreOptions } from '../../../src/stores/memcached.js'
import type { CookieClient } from '../../../src/testing/index.js'
import { serveApp } from '../../support/serve.js'
import { type MemcachedOptions, memcached } from '../../support/servers/memcached.js'
import { hasServer, programOf } from '../../support/servers/server.js'

const require = createRequire(import.meta.url)
const HOUR = 3_600_000
const DAY = 24 * HOUR
const entry = (text: string, life = HOUR) => ({ text, expiresAt: Date.now() + life })

async function started(options: MemcachedOptions = {}) {
  const server = await memcached.start(options)
  onTestFinished(() => server.stop())
  return server
}

function storeOn(options: Partial<MemcachedStoreOptions>) {
  const store = new MemcachedStore({ timeout: 20_000, ...options } as MemcachedStoreOptions)
  onTestFinished(() => store.close())
  return store
}

/** What a server answers to these commands, as text; the last one is answered by `MN`. */
function ask(port: number, commands: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = createConnection(port, '127.0.0.1', () => socket.write(`${commands}mn\r\n`))
    socket.setEncoding('latin1')
    socket.once('error', reject)
    socket.on('data', (text: string) => {
      answer += text
      if (!answer.endsWith('MN\r\n')) return
      socket.destroy()
      resolve(answer.slice(0, -'MN\r\n'.length))
    })
  })
}

async function appOn(store: MemcachedStore) {
  const { browser, sessions } = await serveApp(
    (app, sessions) => {
      app.get('/login/:user', (req, res) => {
        sessions.of(req).session.userId = req.params.user
        res.end()
      })
      app.get('/fill/:bytes', (req, res) => {
        sessions.of(req).session.load = 'x'.repeat(Number(req.params.bytes))
        res.end()
      })
      app.get('/who', (req, res) => void res.end(String(sessions.of(req).session.userId)))
    },
    { store, clock: undefined as never, storeTimeout: 60_000 },
  )
  const signedIn = async (user: string) => {
    const one = browser()
    await one.get(`/login/${user}`)
    return one
  }
  return {
    browser,
    sessions,
    signedIn,
    seen: async (one: CookieClient) => (await one.get('/who')).text(),
  }
}

describe.skipIf(!hasServer(memcached))('MemcachedStore and a real server', () => {
  it('keeps a record for 31 days, and one for half a second to its end', async () => {
    const { url, port } = await started()
    const store = storeOn({ servers: url })
    await store.create('long', entry('{}', 31 * DAY))
    await store.create('touched', entry('{}'))
    await store.touch('touched', Date.now() + 31 * DAY)
    for (const key of ['long', 'touched']) {
      const left = /^HD t(\d+)/.exec(await ask(port, `mg ${key} t\r\n`))?.[1]
      expect(Math.abs(Number(left) - (31 * DAY) / 1000)).toBeLessThan(300)
      expect((await store.load(key))!.expiresAt).toBeGreaterThan(Date.now() + 30.9 * DAY)
    }
    // Wherever the ticks of the server's clock are.
    for (let n = 0; n < 10; n++) {
      const { expiresAt } = entry('{}', 500)
      expect(await store.create(`short${n}`, { text: '{}', expiresAt })).toBe(true)
      await new Promise((resolve) => setTimeout(resolve, 150))
      const found = await store.load(`short${n}`)
      if (Date.now() < expiresAt) expect(found?.text).toBe('{}')
    }
  })

  it('refuses what is over the limit of the server before any header, and keeps the session', async () => {
    const { url } = await started()
    const { browser } = await appOn(storeOn({ servers: url }))
    const stranger = browser()
    const refused = { status: 500, setCookies: [] }
    expect(await stranger.get('/fill/1100000')).toMatchObject(refused)
    const ada = browser()
    await ada.get('/login/ada')
    const answer = await ada.get('/fill/1100000')
    expect(answer).toMatchObject(refused)
    expect(answer.json()).toMatchObject({ code: 'ERR_RECORD_TOO_LARGE' })
    expect((await ada.get('/')).json()).toEqual({ userId: 'ada' })
    await ada.get('/fill/900000')
    expect((await ada.get('/')).json()).toMatchObject({ load: 'x'.repeat(900_000) })
  })

  it('leaves keys of others on the server alone', async () => {
    const { url, port } = await started()
    await ask(port, 'set others 7 0 5\r\nhello\r\n')
    const store = storeOn({ servers: url, prefix: 'p.' })
    const { sessions, signedIn, seen } = await appOn(store)
    const ada = await signedIn('ada')
    await sessions.revokeUser('ada')
    expect(await seen(ada)).toBe('undefined')
    await sessions.close()
    expect(await ask(port, 'get others\r\n')).toBe('VALUE others 7 5\r\nhello\r\nEND\r\n')
  })

  it('signs users out whom a full server has forgotten, and lets nobody in again', async () => {
    const { url, port } = await started({ args: () => ['-m', '2'] })
    const { sessions, signedIn, seen } = await appOn(storeOn({ servers: url }))
    const [ada, phone] = [await signedIn('ada'), await signedIn('ada')]
    await sessions.revokeUser('ada')
    const again = await signedIn('ada')
    const evictions = async () =>
      Number(/STAT evictions (\d+)/.exec(await ask(port, 'stats\r\n'))?.[1])
    // In every size that a record, a list or an epoch may have.
    for (let round = 0; round < 40 && (await evictions()) < 20_000; round++) {
      const sizes = [10, 50, 100, 150, 200, 250, 300, 400]
      const sets = Array.from({ length: 8000 }, (_, n) => {
        const value = 'x'.repeat(sizes[n % sizes.length]!)
        return `set fill:${round}:${n} 0 0 ${value.length} noreply\r\n${value}\r\n`
      })
      await ask(port, sets.join(''))
    }
    expect(await evictions()).toBeGreaterThan(1000)
    for (const one of [ada, phone, again]) expect(await seen(one)).toBe('undefined')
    expect(await seen(await signedIn('ada'))).toBe('ada')
  })

  it.each([
    ['the password of its file', 'right', true],
    ['another one', 'wrong', false],
  ])('lets the store in by %s', async (_, password, isIn) => {
    const { url } = await started({
      prepare: (folder) => writeFileSync(join(folder, 'users'), 'ada:right\n', { mode: 0o644 }),
      args: ({ folder }) => ['-Y', join(folder, 'users')],
    })
    const store = storeOn({ servers: url, username: 'ada', password })
    if (isIn) {
      expect(await store.create('a', entry('{"a":1}'))).toBe(true)
      expect(await store.load('a')).toMatchObject({ text: '{"a":1}' })
    } else {
      await expect(store.load('a')).rejects.toMatchObject({ code: 'ERR_STORE' })
    }
  })

  it('is found by the path of a socket too', async () => {
    const { port } = await started()
    const path = join(mkdtempSync(join(tmpdir(), 'cc-socket-')), 'm')
    const door = createServer((socket) => {
      pipeline(socket, createConnection(port, '127.0.0.1'), socket, () => {})
    })
    await new Promise<void>((resolve) => void door.listen(path, resolve))
    onTestFinished(() => {
      door.close()
      rmSync(dirname(path), { recursive: true })
    })
    expect(await storeOn({ servers: path }).create('a', entry('{}'))).toBe(true)
  })
})

describe.skipIf(!hasServer(memcached) || programOf('openssl') === undefined)(
  'MemcachedStore and a server with TLS',
  () => {
    const prepare: MemcachedOptions['prepare'] = (_, run) =>
      run('openssl', [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
        ...['-keyout', 'key.pem', '-out', 'cert.pem', '-days', '2', '-subj', '/CN=localhost'],
        ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ])
    const args: MemcachedOptions['args'] = ({ folder }) => {
      const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(folder, name))
      return ['-Z', '-o', `ssl_chain_cert=${cert},ssl_key=${key}`]
    }

    it('takes the certificate that it is told to take, and no other', async () => {
      const { url, folder } = await started({ prepare, args })
      const ca = readFileSync(join(folder!, 'cert.pem'))
      const store = storeOn({ servers: url, tls: { ca } })
      expect(await store.create('a', entry('{"a":1}'))).toBe(true)
      expect(await store.load('a')).toMatchObject({ text: '{"a":1}' })
      await expect(storeOn({ servers: url, tls: true }).load('a')).rejects.toMatchObject({
        code: 'ERR_STORE',
      })
      await expect(storeOn({ servers: url, timeout: 300 }).load('a')).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_STORE/),
      })
    })
  },
)

describe.skipIf(!hasServer(memcached))('MemcachedStore and three servers', () => {
  const keys = Array.from({ length: 60 }, (_, n) => `key-${n}`)

  async function three() {
    const servers = await Promise.all([started(), started(), started()])
    return { servers, urls: servers.map(({ url }) => url) }
  }

  it('has every session where connect-memcached has it', async () => {
    const { urls } = await three()
    const ours = storeOn({ servers: urls })
    const Store = require('connect-memcached')(expressSession)
    const theirs = new Store({ hosts: urls })
    onTestFinished(() => theirs.client.end())
    const get = (key: string) =>
      new Promise((resolve, reject) => {
        theirs.get(key, (error: unknown, found: unknown) =>
          error ? reject(error) : resolve(found),
        )
      })
    for (const [n, key] of keys.entries()) {
      await ours.create(key, entry(JSON.stringify({ cookie: {}, n })))
      expect(await get(key)).toMatchObject({ n })
    }
  })

  it('has sessions under long keys where a client of memcached has them', async () => {
    const { urls } = await three()
    const client = new Memcached([...urls])
    onTestFinished(() => client.end())
    const [ours, theirs] = [storeOn({ servers: urls }), storeOn({ client })]
    for (const [n, key] of keys.entries()) {
      const long = key.padEnd(300, 'x')
      await theirs.create(long, entry(`{"n":${n}}`))
      expect((await ours.load(long))?.text).toBe(`{"n":${n}}`)
      expect(await theirs.replace(long, entry('{}'), (await theirs.load(long))!)).toBe('replaced')
      expect(await theirs.touch(long, Date.now() + DAY)).toBe(true)
      expect(await theirs.destroy(long)).toBe(true)
      expect(await ours.load(long)).toBeUndefined()
    }
  })

  it('fails the sessions of a server that is down, serves the others, and has all when it is back', async () => {
    const { servers, urls } = await three()
    const store = storeOn({ servers: urls })
    for (const key of keys) await store.create(key, entry('{}'))
    const looks = async () => {
      const results = await Promise.allSettled(keys.map((key) => store.load(key)))
      return results.map((result) =>
        result.status === 'rejected' ? result.reason.code : (result.value?.text ?? 'gone'),
      )
    }
    expect(new Set(await looks())).toEqual(new Set(['{}']))
    await servers[0]!.kill()
    const during = await looks()
    expect(new Set(during)).toEqual(new Set(['ERR_STORE', '{}']))
    // Nothing goes elsewhere meanwhile, from where it would come back later.
    const lost = keys.filter((_, n) => during[n] === 'ERR_STORE')
    await expect(store.create(lost[0]!, entry('{}'))).rejects.toMatchObject({ code: 'ERR_STORE' })
    await servers[0]!.start()
    await expect.poll(() => store.load(lost[0]!).catch(() => 'failed')).toBeUndefined()
    const after = await looks()
    expect(after).toEqual(during.map((seen) => (seen === 'ERR_STORE' ? 'gone' : seen)))
    expect(await store.create(lost[0]!, entry('{}'))).toBe(true)
  })
})
