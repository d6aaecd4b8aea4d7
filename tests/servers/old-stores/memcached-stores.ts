import { createRequire } from 'node:module'
import { createConnection } from 'node:net'
import type { OldStoreKind } from '../../express-session/old-stores/old-store.js'
import { memcached } from '../../support/servers/memcached.js'

const require = createRequire(import.meta.url)

interface MemcachedStore {
  readonly client: { end(): void }
}

const connectMemcached = (
  name: string,
  options: object,
  traits: Pick<OldStoreKind, 'isEncrypted'> = {},
): OldStoreKind => ({
  name,
  ...traits,
  server: memcached,
  endsBy: 'server',
  async open() {
    const server = await memcached.start()
    const stores: MemcachedStore[] = []
    return {
      server,
      store(session) {
        const Store = require('connect-memcached')(session)
        const store: MemcachedStore = new Store({ hosts: server.url, ...options })
        stores.push(store)
        return store
      },
      async textOf(id) {
        const [head, text] = (await ask(server.port, `get ${id}`)).split('\r\n')
        return head === 'END' ? undefined : text
      },
      async age(id, ms) {
        const left = /^HD t(\d+)/.exec(await ask(server.port, `mg ${id} t`))
        if (left === null) return
        const seconds = Number(left[1]) - ms / 1000
        // 0 would be for ever; what is below it has ended.
        await ask(server.port, `touch ${id} ${seconds > 0 ? seconds : -1}`)
      },
      async close() {
        for (const { client } of stores) client.end()
        await server.stop()
      },
    }
  },
})

export const memcachedStores: readonly OldStoreKind[] = [
  connectMemcached('connect-memcached', {}),
  connectMemcached(
    'connect-memcached that encrypts',
    // It stores nothing with one that has fewer than two of any class of characters.
    { secret: 'CoatCheck-27-at-rest!!' },
    { isEncrypted: true },
  ),
]

/** The client in use knows neither the lifetime that is left, nor how to set it alone. */
function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = createConnection(port, '127.0.0.1', () => socket.write(`${command}\r\n`))
    socket.setEncoding('utf8')
    socket.once('error', reject)
    socket.on('data', (text: string) => {
      answer += text
      if (!/(?:^|\r\n)(?:END|EN|HD.*|TOUCHED|NOT_FOUND|.*ERROR.*)\r\n$/.test(answer)) return
      socket.destroy()
      resolve(answer)
    })
  })
}
