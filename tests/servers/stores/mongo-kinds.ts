import MongoStoreOfOld, {
  type CryptoAdapter,
  createKrupteinAdapter,
  createWebCryptoAdapter,
} from 'connect-mongo'
import { MongoClient } from 'mongodb'
import { type MongoCrypto, MongoStore } from '../../../src/stores/mongodb.js'
import type { OldStoreKind } from '../../express-session/old-stores/old-store.js'
import { mongo } from '../../support/servers/mongo.js'
import type { RunningServer } from '../../support/servers/server.js'
import { mongoStores } from '../old-stores/mongo-stores.js'
import type { StoreKind } from './kind.js'
import { drivers } from './mongo-clients.js'

/** Strong enough for kruptein's own rule. */
export const SECRET = 'Of-the-2-stores-at-rest!'

/** Every store of every test derives its key: with the default that is most of the work. */
const QUICK = 1000

const ABSENT = new Set(['partitioned', 'priority', 'secure', 'domain', 'sameSite'])

interface Form {
  readonly stringify?: boolean
  readonly crypto?: MongoCrypto
}

function mongoKind(
  driver: keyof typeof drivers,
  exported: string,
  form: Form = {},
  traits: Partial<StoreKind> = {},
): StoreKind {
  return {
    name: `MongoStore on ${driver}`,
    module: import.meta.url,
    exported,
    server: mongo,
    protocol: 'bytes',
    keeps: false,
    lookalike: (place) => `${place.slice(0, -4)}.*`,
    async connect({ url }, { place = 'sessions', clock }) {
      const { collection, close } = await drivers[driver](url, place)
      // Indexes that are made in the background would be counted where requests are.
      const options = { autoMigrate: false, ...(clock && { clock }), ...form }
      return { store: new MongoStore({ collection, ...options }), close }
    },
    async plant(server, place, key, garbage) {
      const client = await MongoClient.connect(server.url)
      const kept = client.db().collection<{ _id: string }>(place)
      const { matchedCount } = await kept.updateOne({ _id: key }, { $set: { session: garbage } })
      await client.close()
      return matchedCount === 1
    },
    predecessor: (server, place) => connectMongoAt(server, place, form),
    conformance: { realTime: false },
    ...traits,
  }
}

const [asTexts, asObjects, touchingRarely, asKruptein] = mongoStores

/** Web Crypto's derives its key when it is made, which takes a while; every test would make one. */
const made = new Map<string, CryptoAdapter>()

function adapterOf(kind: 'kruptein' | 'webCrypto', iterations = 310_000): CryptoAdapter {
  const name = `${kind} ${iterations}`
  const make = () =>
    kind === 'kruptein'
      ? createKrupteinAdapter({ secret: SECRET })
      : createWebCryptoAdapter({ secret: SECRET, iterations })
  const adapter = made.get(name) ?? make()
  made.set(name, adapter)
  return adapter
}

/** connect-mongo that encrypts, with what it has encrypted in the clear: no two ciphertexts are equal. */
function inTheClear(name: string, ...which: Parameters<typeof adapterOf>): OldStoreKind {
  return {
    ...asKruptein!,
    name,
    isEncrypted: false,
    async open() {
      const records = await asKruptein!.open()
      const cryptoAdapter = adapterOf(...which)
      const client = new MongoClient(records.server!.url)
      return {
        ...records,
        store: () => MongoStoreOfOld.create({ client, cryptoAdapter }),
        async textOf(id) {
          const stored = await records.textOf(id)
          return stored && innermost(await cryptoAdapter.decrypt(stored))
        },
        async close() {
          await client.close()
          await records.close()
        },
      }
    },
  }
}

export const onMongo7 = mongoKind('mongodb7', 'onMongo7', {}, { old: asTexts! })
/** Beside what notes in a field of its own when a session was last touched. */
export const besideTouchAfter: StoreKind = { ...onMongo7, old: touchingRarely! }

export const onMongo6 = mongoKind('mongodb6', 'onMongo6')
export const onMongo5 = mongoKind('mongodb5', 'onMongo5')
export const onMongoose = mongoKind('mongoose', 'onMongoose')

export const withObjects = mongoKind(
  'mongodb7',
  'withObjects',
  { stringify: false },
  { name: 'MongoStore that keeps objects', old: asObjects! },
)

export const withKruptein = mongoKind(
  'mongodb7',
  'withKruptein',
  { crypto: { secret: SECRET } },
  {
    name: 'MongoStore that encrypts as kruptein does',
    old: inTheClear('connect-mongo with kruptein', 'kruptein'),
  },
)

export const withWebCrypto = mongoKind(
  'mongodb7',
  'withWebCrypto',
  { crypto: { secret: SECRET, kind: 'webcrypto', iterations: QUICK } },
  {
    name: 'MongoStore that encrypts by Web Crypto',
    old: inTheClear('connect-mongo with Web Crypto', 'webCrypto', QUICK),
  },
)

/** connect-mongo on the same collection, in the forms that a store of this form reads. */
async function connectMongoAt(server: RunningServer, place: string, { stringify, crypto }: Form) {
  const client = new MongoClient(server.url)
  let ttl = 1
  const open = (options: object) =>
    MongoStoreOfOld.create({
      client,
      collectionName: place,
      autoRemove: 'disabled',
      ttl,
      ...options,
    })
  const iterations = crypto?.kind === 'webcrypto' ? crypto.iterations : undefined
  const kruptein = { crypto: { secret: SECRET } }
  const plain: Record<string, () => MongoStoreOfOld> = {
    texts: () => open({}),
    objects: () => open({ stringify: false }),
    'with lastModified': () => open({ touchAfter: 60 }),
    'with times': () => open({ timestamps: true }),
  }
  const sealed: typeof plain = {
    kruptein: () => open(kruptein),
    'kruptein, objects': () => open({ stringify: false, ...kruptein }),
    'Web Crypto': () => open({ cryptoAdapter: adapterOf('webCrypto', iterations) }),
    'Web Crypto, objects': () =>
      open({ stringify: false, cryptoAdapter: adapterOf('webCrypto', iterations) }),
  }
  const stores = crypto === undefined ? plain : sealed
  const reader =
    crypto === undefined
      ? plain[stringify === false ? 'objects' : 'texts']!
      : sealed[crypto.kind === 'webcrypto' ? 'Web Crypto' : 'kruptein']!
  return {
    forms: Object.keys(stores),
    async write(form: string, key: string, text: string, expiresAt: number) {
      ttl = (expiresAt - Date.now()) / 1000
      await new Promise<void>((resolve, reject) => {
        stores[form]!().set(key, JSON.parse(text), (error) => (error ? reject(error) : resolve()))
      })
    },
    async read(key: string) {
      const session = await new Promise<unknown>((resolve, reject) => {
        reader().get(key, (error, found) => (error ? reject(error) : resolve(found)))
      })
      // Of objects a cookie's fields that are not set are null, and in no JSON of express-session.
      const withoutNull = (key: string, value: unknown) =>
        value === null && ABSENT.has(key) ? undefined : value
      // The escapes of the suite's texts are in no object, and no session has them.
      if (typeof session === 'string') return session
      return session ? JSON.stringify(session, withoutNull) : undefined
    },
    close: () => client.close(),
  }
}

/** Kruptein's plaintext is JSON of the text. */
function innermost(plaintext: string): string {
  const inner: unknown = JSON.parse(plaintext)
  return typeof inner === 'string' ? inner : plaintext
}
