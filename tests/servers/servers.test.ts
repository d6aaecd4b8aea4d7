import { existsSync } from 'node:fs'
import { createConnection } from 'node:net'
import { MongoClient } from 'mongodb'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { createClient } from 'redis'
import { expect, it, onTestFinished, vi } from 'vitest'
import { mariadb } from '../support/servers/mariadb.js'
import { memcached } from '../support/servers/memcached.js'
import { mongo } from '../support/servers/mongo.js'
import { postgres } from '../support/servers/postgres.js'
import { redis } from '../support/servers/redis.js'
import { hasServer, type RunningServer, type ServerKind } from '../support/servers/server.js'

/** A question that only the server itself can answer. */
const questions: readonly [ServerKind, (server: RunningServer) => Promise<unknown>][] = [
  [
    redis,
    async ({ url }) => {
      const client = await createClient({ url, socket: { reconnectStrategy: false } }).connect()
      return client.ping().finally(() => client.destroy())
    },
  ],
  [
    memcached,
    ({ port }) =>
      new Promise((resolve, reject) => {
        const socket = createConnection(port, '127.0.0.1', () => socket.write('version\r\n'))
        socket.once('error', reject)
        socket.once('data', (answer) => {
          socket.destroy()
          resolve(String(answer))
        })
      }),
  ],
  [
    mariadb,
    async ({ url }) => {
      const connection = await mysql.createConnection(url)
      return connection.query('SELECT 1 AS one').finally(() => connection.end())
    },
  ],
  [
    postgres,
    async ({ url }) => {
      const client = new pg.Client(url)
      await client.connect()
      return client.query('SELECT 1 AS one').finally(() => client.end())
    },
  ],
  [
    mongo,
    async ({ url }) => {
      const client = new MongoClient(url, { serverSelectionTimeoutMS: 1000 })
      const found = client.db().collection('things').countDocuments()
      return found.finally(() => client.close())
    },
  ],
]

for (const [kind, ask] of questions) {
  it.skipIf(!hasServer(kind))(
    `${kind.name} starts, crashes, starts again on its port, and ends`,
    async () => {
      const server = await kind.start()
      onTestFinished(() => server.stop())
      expect(await ask(server)).toBeDefined()
      if (!server.isOurs) return
      await server.kill()
      await expect(ask(server)).rejects.toThrow()
      await server.start()
      expect(await ask(server)).toBeDefined()
      await server.stop()
      await expect(ask(server)).rejects.toThrow()
      expect(existsSync(server.folder!)).toBe(false)
    },
  )
}

it('a server that is not here skips its tests aloud, and fails them in CI', () => {
  const warned = vi.spyOn(console, 'warn').mockImplementation(() => {})
  onTestFinished(() => void vi.restoreAllMocks())
  onTestFinished(() => void vi.unstubAllEnvs())
  const kind: ServerKind = {
    name: 'nothing',
    missing: () => ['no-such-packet'],
    start: () => Promise.reject(new Error('cannot start')),
  }
  vi.stubEnv('CI', '')
  expect(hasServer(kind)).toBe(false)
  expect(warned).toHaveBeenCalledWith(expect.stringContaining('apt-get install no-such-packet'))
  vi.stubEnv('CI', 'true')
  expect(() => hasServer(kind)).toThrow('in CI they must')
})
