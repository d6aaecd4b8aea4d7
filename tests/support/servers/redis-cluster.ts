/**
 * A Redis cluster of three masters, each with a replica, alone with one test file.
 *
 *   const cluster = await redisCluster.start()
 *   createCluster({ rootNodes: cluster.urls.map((url) => ({ url })) })
 *   const { killed, master } = await cluster.failover('some key')   // its master crashes, its replica takes over
 *   await cluster.nodes[killed]!.start()                            // comes back, as a replica
 *   await cluster.stop()
 *
 * As a server among others it is its first node, but for `url`, which has all, with commas between.
 *
 * Nodes vote in seconds: a failover takes about two.
 */
import { cliOf, redisProgram } from './redis-cli.js'
import { programOf, type RunningServer, type ServerKind } from './server.js'
import { startProgram } from './server-process.js'

export interface RunningCluster extends RunningServer {
  /** Masters first, as it was at the start. */
  readonly nodes: readonly RunningServer[]
  readonly urls: readonly string[]
  /** Crashes the master of a key's slot, and waits until every other node knows the new one. */
  failover(key: string): Promise<{ killed: RunningServer; master: RunningServer }>
  /** The node that serves a key's slot now. */
  masterOf(key: string): Promise<RunningServer>
}

const SLOTS = 16_384
const MASTERS = 3

export const redisCluster: ServerKind<RunningCluster> = {
  name: 'redis cluster',
  missing: () => (programOf('redis-server') === undefined ? ['redis-server'] : []),
  start,
}

async function start(): Promise<RunningCluster> {
  const nodes: RunningServer[] = []
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()))
  }
  try {
    while (nodes.length < 2 * MASTERS) nodes.push(await startProgram(NODE))
    await form(nodes)
  } catch (error) {
    await stop()
    throw error
  }
  const masterOf = async (key: string, among = nodes) => {
    const [slot] = await Promise.all([cliOf(among[0]!)('CLUSTER', 'KEYSLOT', key)])
    const port = portOfSlot(await cliOf(among[0]!)('CLUSTER', 'NODES'), Number(slot))
    return nodes.find((node) => node.port === port)!
  }
  return {
    ...groupOf(nodes),
    nodes,
    urls: nodes.map(({ url }) => url),
    masterOf: (key) => masterOf(key),
    async failover(key) {
      const killed = await masterOf(key)
      await killed.kill()
      const others = nodes.filter((node) => node !== killed)
      const slot = Number(await cliOf(others[0]!)('CLUSTER', 'KEYSLOT', key))
      await until(async () => {
        const ports = await Promise.all(others.map(async (node) => knownMaster(node, slot)))
        return new Set(ports).size === 1 && ports[0] !== killed.port && ports[0] !== undefined
      })
      await until(() => isWhole(others))
      return { killed, master: await masterOf(key, others) }
    },
  }
}

const NODE = redisProgram({
  name: 'rc',
  // The nodes talk to each other there.
  alsoPort: 10_000,
  args: ({ port }) => [
    ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
    ...['--cluster-node-timeout', '1000', '--cluster-announce-ip', '127.0.0.1'],
    ...['--cluster-port', String(port + 10_000), '--repl-diskless-sync-delay', '0'],
    // A replica that was just synchronised may take over, however short it has been one.
    ...['--cluster-replica-validity-factor', '0'],
  ],
})

/** By hand: `redis-cli --cluster create` waits for seconds between its steps. */
async function form(nodes: readonly RunningServer[]): Promise<void> {
  const [masters, replicas] = [nodes.slice(0, MASTERS), nodes.slice(MASTERS)]
  const share = Math.ceil(SLOTS / MASTERS)
  for (const [index, node] of masters.entries()) {
    const last = Math.min((index + 1) * share, SLOTS) - 1
    await cliOf(node)('CLUSTER', 'ADDSLOTSRANGE', String(index * share), String(last))
    await cliOf(node)('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
  }
  for (const node of nodes.slice(1)) {
    await cliOf(node)('CLUSTER', 'MEET', '127.0.0.1', String(nodes[0]!.port))
  }
  const ids = await Promise.all(masters.map((node) => cliOf(node)('CLUSTER', 'MYID')))
  await until(async () => {
    const known = await Promise.all(nodes.map((node) => cliOf(node)('CLUSTER', 'NODES')))
    return known.every((text) =>
      ids.every((id) => text.includes(id) && !text.includes('handshake')),
    )
  })
  for (const [index, node] of replicas.entries()) {
    await cliOf(node)('CLUSTER', 'REPLICATE', ids[index]!)
  }
  await until(() => isWhole(nodes))
  await until(async () => {
    const known = await Promise.all(masters.map((node) => cliOf(node)('INFO', 'replication')))
    return known.every((text) => text.includes('state=online'))
  })
  // Every node has to tell clients of all replicas.
  await until(async () => {
    const known = await Promise.all(nodes.map((node) => cliOf(node)('CLUSTER', 'NODES')))
    return known.every((text) => text.match(/ (?:myself,)?slave /g)?.length === MASTERS)
  })
}

async function isWhole(nodes: readonly RunningServer[]): Promise<boolean> {
  const infos = await Promise.all(nodes.map((node) => cliOf(node)('CLUSTER', 'INFO')))
  return infos.every((info) => info.includes('cluster_state:ok'))
}

async function knownMaster(node: RunningServer, slot: number): Promise<number | undefined> {
  return portOfSlot(await cliOf(node)('CLUSTER', 'NODES'), slot)
}

/** From lines such as `id 127.0.0.1:7000@17000 master - 0 0 1 connected 0-5461`. */
function portOfSlot(text: string, slot: number): number | undefined {
  for (const line of text.split('\n')) {
    const [, address = '', flags = '', , , , , , ...ranges] = line.trim().split(' ')
    if (/fail(?!over)/.test(flags)) continue
    const owns = ranges.some((range) => {
      const [first = -1, last = first] = range.split('-').map(Number)
      return first <= slot && slot <= last
    })
    if (owns) return Number(/:(\d+)/.exec(address)?.[1])
  }
  return undefined
}

/** Several servers as one. */
export function groupOf(servers: readonly RunningServer[]): RunningServer {
  const each = (run: (server: RunningServer) => Promise<void>) => async () => {
    await Promise.all(servers.map(run))
  }
  return {
    ...servers[0]!,
    url: servers.map(({ url }) => url).join(),
    kill: each((server) => server.kill()),
    start: each((server) => server.start()),
    stop: each((server) => server.stop()),
  }
}

export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000
  while (!(await isSo().catch(() => false))) {
    if (Date.now() > end) throw new Error('The servers have not agreed within 30 seconds.')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
