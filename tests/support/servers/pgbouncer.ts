import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { postgres } from './postgres.js'
import { programOf, type RunningServer, type ServerKind } from './server.js'
import { startProgram } from './server-process.js'

/** Its `url` leads through the pooler, `direct` does not. */
export interface Pooled extends RunningServer {
  readonly direct: string
}

/** PostgreSQL behind a PgBouncer that gives each transaction one of two connections. */
export const pgbouncer: ServerKind<Pooled> = {
  name: 'pgbouncer',
  missing: () => [
    ...postgres.missing(),
    ...(programOf('pgbouncer') === undefined ? ['pgbouncer'] : []),
  ],
  async start() {
    const database = await postgres.start()
    try {
      const pooler = await startProgram({
        name: 'pgbouncer',
        // It refuses to be root.
        user: 'postgres',
        command: ({ folder, port }) => {
          const file = join(folder, 'pgbouncer.ini')
          writeFileSync(file, settings(port, database.port))
          return [programOf('pgbouncer')!, file]
        },
        url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
      })
      const stop = async () => {
        await pooler.stop()
        await database.stop()
      }
      return { ...pooler, direct: database.url, stop }
    } catch (error) {
      await database.stop()
      throw error
    }
  },
}

function settings(port: number, database: number): string {
  return `[databases]
postgres = host=127.0.0.1 port=${database} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
`
}
