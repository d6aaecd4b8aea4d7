/**
 * A Redis master with a replica, and three sentinels that watch them, alone with one test file.
 *
 *   const trio = await redisSentinel.start()
 *   new Redis({ sentinels: trio.sentinels, name: trio.master })
 *   await trio.failover()          // the master crashes, and the replica is one
 *   await trio.stop()
 *
 * As a server among others it is its first sentinel, but for `url`, which has all three, with commas
 * between. Sentinels vote in seconds: a failover takes a few.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cliOf, redisProgram } from './redis-cli.js'
import { groupOf, until } from './redis-cluster.js'
import { programOf, type RunningServer, type ServerKind } from './server.js'
import { type ServerProgram, startProgram } from './server-process.js'

export interface RunningSentinels extends RunningServer {
  /** The name of the master. */
  readonly master: string
  /** Where the sentinels are. */
  readonly sentinels: readonly { readonly host: string; readonly port: number }[]
  /** Master and replica, as it was at the start. */
  readonly nodes: readonly RunningServer[]
  /** The node that is the master now. */
  current(): Promise<RunningServer>
  /** Crashes the master and waits until every sentinel names the other one, which takes writes. */
  failover(): Promise<{ killed: RunningServer; master: RunningServer }>
}

const MASTER = 'sessions'

export const redisSentinel: ServerKind<RunningSentinels> = {
  name: 'redis sentinel',
  missing: () => (programOf('redis-server') === undefined ? ['redis-server'] : []),
  start,
}

async function start(): Promise<RunningSentinels> {
  const all: RunningServer[] = []
  const stop = async () => {
    // Sentinels first, or they would begin a failover.
    for (const server of all.toReversed()) await server.stop()
  }
  const add = async (program: ServerProgram) => {
    const server = await startProgram(program)
    all.push(server)
    return server
  }
  try {
    const master = await add(node())
    const replica = await add(node(master.port))
    const nodes = [master, replica]
    await until(async () => (await cliOf(master)('INFO', 'replication')).includes('state=online'))
    const sentinels: RunningServer[] = []
    while (sentinels.length < 3) sentinels.push(await add(sentinel(master.port)))
    // Each knows the replica and both others.
    await until(async () => {
      const told = await Promise.all(sentinels.map((one) => cliOf(one)('INFO', 'sentinel')))
      return told.every((text) => /status=ok,.*slaves=1,sentinels=3/.test(text))
    })
    const named = async (one: RunningServer) =>
      Number((await cliOf(one)('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)).split('\n')[1])
    const current = async () => {
      const port = await named(sentinels[0]!)
      return nodes.find((one) => one.port === port)!
    }
    return {
      ...groupOf(sentinels),
      master: MASTER,
      sentinels: sentinels.map(({ host, port }) => ({ host, port })),
      nodes,
      current,
      async failover() {
        const killed = await current()
        await killed.kill()
        const other = nodes.find((one) => one !== killed)!
        await until(async () => {
          const ports = await Promise.all(sentinels.map(named))
          return ports.every((port) => port === other.port)
        })
        await until(async () => (await cliOf(other)('INFO', 'replication')).includes('role:master'))
        return { killed, master: other }
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function node(masterPort?: number): ServerProgram {
  return redisProgram({
    name: masterPort === undefined ? 'rm' : 'rr',
    args: () => [
      ...['--repl-diskless-sync-delay', '0', '--repl-timeout', '5'],
      ...(masterPort === undefined ? [] : ['--replicaof', '127.0.0.1', String(masterPort)]),
    ],
  })
}

function sentinel(masterPort: number): ServerProgram {
  return {
    name: 'rs',
    command: ({ port, folder }) => {
      // A sentinel writes into its configuration what it has found out.
      const path = join(folder, 'sentinel.conf')
      const lines = [
        `port ${port}`,
        'bind 127.0.0.1',
        'protected-mode no',
        `dir ${folder}`,
        `sentinel monitor ${MASTER} 127.0.0.1 ${masterPort} 2`,
        `sentinel down-after-milliseconds ${MASTER} 500`,
        `sentinel failover-timeout ${MASTER} 3000`,
        '',
      ]
      writeFileSync(path, lines.join('\n'))
      return [programOf('redis-server')!, path, '--sentinel']
    },
    url: (port) => `redis://127.0.0.1:${port}`,
    ready: /\+monitor master/,
  }
}
