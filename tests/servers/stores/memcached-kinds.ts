import { createRequire } from 'node:module'
import expressSession from 'express-session'
import Memcached from 'memcached'
import { MemcachedStore } from '../../../src/stores/memcached.js'
import type { Predecessor } from '../../../src/testing/conformance/harness.js'
import type { OldStoreKind } from '../../express-session/old-stores/old-store.js'
import { memcached } from '../../support/servers/memcached.js'
import type { RunningServer } from '../../support/servers/server.js'
import { memcachedStores } from '../old-stores/memcached-stores.js'
import type { StoreKind } from './kind.js'

const require = createRequire(import.meta.url)

/** On a machine with other work; how silence ends is tested elsewhere. */
const TIMEOUT = 20_000

const shared = {
  module: import.meta.url,
  server: memcached,
  protocol: 'memcached',
  keeps: false,
  old: memcachedStores[0]!,
  async plant(server, place, key, garbage) {
    const client = new Memcached(server.url)
    // As a text: what is marked as JSON, and is none, would end the process of that client.
    const stored = await told((done) => client.set(`${place}.${key}`, garbage, 3600, done))
    client.end()
    return stored === true
  },
  refusals: [
    { answer: 'SERVER_ERROR out of memory storing object\r\n', to: ['ADD', 'CAS'], reads: false },
    { answer: 'SERVER_ERROR out of memory writing get response\r\n', reads: true },
    { answer: 'ERROR\r\n', reads: true },
  ],
} satisfies Partial<StoreKind>

/** A user's session is bound to a record of the user, and a sign-in enters it in the user's list. */
const counts = { signedInRead: 2, signIn: 5, destroy: { held: 3 } }

const conformance = {
  unit: 1000,
  // One second more than asked for, and those of the server's clock begin at any time.
  drift: 2000,
  limit: 10_000,
  lacks: {
    sweep: 'the server ends records by itself',
    entries: 'a server does not list what it has',
  },
} satisfies StoreKind['conformance']

export const onServers: StoreKind = {
  ...shared,
  name: 'MemcachedStore with servers',
  exported: 'onServers',
  counts,
  conformance,
  predecessor: oldStore,
  async connect({ url }, { place, clock }) {
    const store = new MemcachedStore({
      servers: url,
      timeout: TIMEOUT,
      ...(place !== undefined && { prefix: `${place}.` }),
      ...(clock && { clock }),
    })
    return { store, close: () => store.close() }
  },
}

/** As express-session reads the records: it drops the field of the cookie that this client needs. */
const withoutField: OldStoreKind = {
  ...memcachedStores[0]!,
  async open() {
    const records = await memcachedStores[0]!.open()
    return {
      ...records,
      textOf: async (id) => (await records.textOf(id))?.replace(/,"coatcheckTail":"[01]+"/, ''),
    }
  },
}

export const onClient: StoreKind = {
  ...shared,
  old: withoutField,
  name: 'MemcachedStore with a client of memcached',
  exported: 'onClient',
  counts: { ...counts, touch: 2 },
  fragile: 'without the program ping this client ends its process then',
  conformance: {
    ...conformance,
    skips: { S23: 'a touch by this client takes two steps' },
    lacks: {
      ...conformance.lacks,
      predecessor: 'the client does not tell how long records of it still live',
    },
  },
  async connect({ url }, { place, clock }) {
    const client = new Memcached(url, { retries: 0, retry: 20, reconnect: 20, failures: 1e6 })
    const store = new MemcachedStore({
      client,
      timeout: TIMEOUT,
      ...(place !== undefined && { prefix: `${place}.` }),
      ...(clock && { clock }),
    })
    return { store, close: async () => client.end() }
  },
}

type Done = (error?: unknown, answer?: unknown) => void

interface OldStore {
  readonly client: { end(): void }
  get(id: string, done: Done): void
  set(id: string, session: object, done: Done): void
}

async function oldStore(
  server: RunningServer,
  place: string,
): Promise<Predecessor & { close(): Promise<void> }> {
  const Store = require('connect-memcached')(expressSession)
  const old: OldStore = new Store({ hosts: server.url, prefix: `${place}.` })
  return {
    forms: ['plain'],
    async write(_, key, text, expiresAt) {
      const session = JSON.parse(text)
      // It cuts off parts of a second.
      const maxAge = expiresAt - Date.now() + 999
      Object.defineProperty(session.cookie, 'maxAge', { value: maxAge })
      await told((done) => old.set(key, session, done))
    },
    async read(key) {
      const found = await told((done) => old.get(key, done))
      return found === undefined ? undefined : JSON.stringify(found)
    },
    close: async () => old.client.end(),
  }
}

function told(call: (done: Done) => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    call((error, answer) => (error ? reject(error) : resolve(answer)))
  })
}
