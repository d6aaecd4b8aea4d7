import { MongoClient } from 'mongodb'
import { MongoClient as MongoClient5 } from 'mongodb5'
import { MongoClient as MongoClient6 } from 'mongodb6'
import mongoose from 'mongoose'
import type { MongoCollection } from '../../../src/stores/mongodb.js'

export interface ConnectedCollection {
  readonly collection: MongoCollection
  close(): Promise<void>
}

/**
 * So that a test need not wait long for what a proxy has swallowed. A machine with much else to do
 * may be slower to connect, hence `patiently`.
 */
const QUICK = { serverSelectionTimeoutMS: 1000, heartbeatFrequencyMS: 500 }

/** Every driver that the store is tested with, on a collection of this name. */
export const drivers = {
  mongodb7: (url: string, name: string) =>
    patiently(async (): Promise<ConnectedCollection> => {
      const client = await new MongoClient(url, QUICK).connect()
      return { collection: client.db().collection(name), close: () => client.close() }
    }),
  mongodb6: (url: string, name: string) =>
    patiently(async (): Promise<ConnectedCollection> => {
      const client = await new MongoClient6(url, QUICK).connect()
      return { collection: client.db().collection(name), close: () => client.close() }
    }),
  mongodb5: (url: string, name: string) =>
    patiently(async (): Promise<ConnectedCollection> => {
      const client = await new MongoClient5(url, QUICK).connect()
      return { collection: client.db().collection(name), close: () => client.close(true) }
    }),
  mongoose: (url: string, name: string) =>
    patiently(async (): Promise<ConnectedCollection> => {
      const connection = await mongoose.createConnection(url, QUICK).asPromise()
      return { collection: connection.collection(name), close: () => connection.close(true) }
    }),
}

async function patiently<T>(connect: () => Promise<T>): Promise<T> {
  for (let left = 60; ; left--) {
    try {
      return await connect()
    } catch (error) {
      if (left === 0 || !/ServerSelection/.test((error as Error).name)) throw error
    }
  }
}
