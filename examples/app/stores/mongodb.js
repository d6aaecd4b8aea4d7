// STORE=mongodb://localhost/shop: the sessions in a collection, where every process finds them.
import { MongoStore } from 'coatcheck/stores/mongodb'

export const driver = 'mongodb'
export const advice = 'Is it running? STORE=mongodb://user:password@host:port/database names it.'

/** A store in the database of `url`, and what closes its client. */
export async function open(url) {
  const { MongoClient } = await import('mongodb')
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 3000 })
  const store = new MongoStore({ client })
  // Now and not with the first visitor: a wrong URL shows at the start.
  await store.migrate()
  return { store, close: () => client.close() }
}
