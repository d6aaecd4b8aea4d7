import { wrongOption } from './store-options.js'

/**
 * What is used of a collection: that of `mongodb` 5 and later, or the one that
 * `mongoose.connection.collection(name)` gives.
 */
export interface MongoCollection {
  findOne(filter: object, options?: object): Promise<unknown>
  find(filter: object, options?: object): { toArray(): Promise<readonly unknown[]> }
  insertOne(document: never, options?: object): Promise<unknown>
  updateOne(filter: object, update: object, options?: object): Promise<{ matchedCount: number }>
  /** One command for all of it. */
  bulkWrite(operations: never): Promise<{ matchedCount: number; modifiedCount: number }>
  replaceOne(
    filter: object,
    replacement: never,
    options?: object,
  ): Promise<{ matchedCount: number } | object>
  findOneAndDelete(filter: object, options: object): Promise<unknown>
  deleteMany(filter: object, options?: object): Promise<{ deletedCount: number }>
  createIndex(keys: never, options?: object): Promise<unknown>
}

/** What is used of a `MongoClient`. It may connect later: it does with the first operation. */
export interface MongoClientLike {
  db(name?: string): { collection(name: string): MongoCollection }
}

/** A document as connect-mongo keeps them, as far as it is read. */
export interface SessionDocument {
  readonly _id: unknown
  readonly session?: unknown
  readonly expires?: unknown
}

const METHODS = [
  'findOne',
  'find',
  'insertOne',
  'updateOne',
  'bulkWrite',
  'replaceOne',
  'findOneAndDelete',
  'deleteMany',
  'createIndex',
] as const

const STORE = 'MongoStore'

/** Where the documents are. @throws OptionError */
export function collectionIn(options: {
  readonly collection?: unknown
  readonly client?: unknown
  readonly dbName?: unknown
  readonly collectionName?: unknown
}): MongoCollection {
  const { collection, client, dbName, collectionName } = options
  if ((collection === undefined) === (client === undefined)) {
    throw wrongOption(STORE, "collection' or 'client", undefined, 'given, one of the two')
  }
  if (collection !== undefined) {
    for (const name of ['dbName', 'collectionName'] as const) {
      if (options[name] === undefined) continue
      throw wrongOption(STORE, name, options[name], "left out beside 'collection'")
    }
    return checked('collection', collection, '')
  }
  const allowed = 'a MongoClient of mongodb 5 or later'
  if (!has(client, 'db')) throw wrongOption(STORE, 'client', client, allowed)
  if (dbName !== undefined && !isName(dbName)) {
    throw wrongOption(STORE, 'dbName', dbName, 'the name of a database')
  }
  if (collectionName !== undefined && !isName(collectionName)) {
    throw wrongOption(STORE, 'collectionName', collectionName, 'the name of a collection')
  }
  const database = (client as MongoClientLike).db(dbName)
  if (!has(database, 'collection')) throw wrongOption(STORE, 'client', client, allowed)
  return checked('client', database.collection(collectionName ?? 'sessions'), ': its collection')
}

function checked(option: string, value: unknown, whose: string): MongoCollection {
  const lacking = METHODS.filter((name) => !has(value, name))
  if (lacking.length === 0) return value as MongoCollection
  const allowed = `a collection of mongodb 5 or later, or of a mongoose connection${whose} lacks ${lacking.join(', ')}`
  throw wrongOption(STORE, option, value, allowed)
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function has(value: unknown, method: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  return typeof (value as Record<string, unknown>)[method] === 'function'
}
