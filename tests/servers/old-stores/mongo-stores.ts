import MongoStore from 'connect-mongo'
import { MongoClient } from 'mongodb'
import type { OldStoreKind } from '../../express-session/old-stores/old-store.js'
import { mongo } from '../../support/servers/mongo.js'

interface Kept {
  readonly _id: string
  readonly session: unknown
}

const connectMongo = (
  name: string,
  options: object,
  traits: Pick<OldStoreKind, 'isEncrypted'> = {},
): OldStoreKind => ({
  name,
  ...traits,
  server: mongo,
  // The server removes documents later, about once a minute.
  endsBy: 'app',
  async open() {
    const server = await mongo.start()
    const client = await MongoClient.connect(server.url)
    const kept = client.db().collection<Kept>('sessions')
    return {
      server,
      store: () => MongoStore.create({ client, ...options }),
      async textOf(id) {
        const session = (await kept.findOne({ _id: id }))?.session
        return typeof session === 'object' ? JSON.stringify(session) : (session as string)
      },
      async close() {
        if (!server.isOurs) await client.db().dropDatabase()
        await client.close()
        await server.stop()
      },
    }
  },
})

export const mongoStores: readonly OldStoreKind[] = [
  connectMongo('connect-mongo', {}),
  connectMongo('connect-mongo that keeps objects', { stringify: false }),
  connectMongo('connect-mongo that touches once a minute', { touchAfter: 60 }),
  connectMongo(
    'connect-mongo that encrypts',
    { crypto: { secret: 'Of-the-2-stores-at-rest!' } },
    { isEncrypted: true },
  ),
]
