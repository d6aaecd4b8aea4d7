// Sessions on a server: Coatcheck and its drop-in against the package that each store replaces under
// express-session, with the same server and driver, in one interleaved run. The mix is read-mostly:
// of 100 requests 90 read, 9 change and one signs in, of visitors that are all known.
//
//   npm run bench -- redis [--rounds 20 --requests 1000 --hop 1]
//
// or memcached, postgres, mysql, mongodb, sqlite. With --hop each way between the application and its
// server takes so many ms. The server is a private one on this machine.

import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { faultProxy } from '../tests/support/fault-proxy.js'
import { mariadb } from '../tests/support/servers/mariadb.js'
import { memcached } from '../tests/support/servers/memcached.js'
import { isRealMongo, mongo } from '../tests/support/servers/mongo.js'
import { postgres } from '../tests/support/servers/postgres.js'
import { redis } from '../tests/support/servers/redis.js'
import type { ServerKind } from '../tests/support/servers/server.js'
import { STORES, type StoreName } from './store-sides.js'

const VISITORS = 200
const WARM_UP = 2000

const { BENCH_STORE, BENCH_ROUNDS = '20', BENCH_REQUESTS = '1000', BENCH_HOP = '0' } = process.env
const name = BENCH_STORE as StoreName
const [rounds, requests, hop] = [BENCH_ROUNDS, BENCH_REQUESTS, BENCH_HOP].map(Number) as [
  number,
  number,
  number,
]
// Over a slow wire the wait of one visitor is looked at, and not how many a machine can serve.
const concurrency = hop > 0 ? 1 : 8
const SERVERS: Record<Exclude<StoreName, 'sqlite'>, ServerKind> = {
  redis,
  memcached,
  postgres,
  mysql: mariadb,
  mongodb: mongo,
}

interface Side {
  readonly name: string
  readonly child: ChildProcess
  readonly port: number
  readonly agent: Agent
  readonly cookies: string[]
  readonly rates: number[]
  readonly costs: number[]
  readonly latencies: Record<string, number[]>
}

interface Reply {
  readonly port: number
  readonly cpu: NodeJS.CpuUsage
}

function reply(child: ChildProcess): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`A server has ended with ${code}.`))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      resolve(message as Reply)
    })
  })
}

async function start(side: string, label: string, url: string, dist: string): Promise<Side> {
  const script = fileURLToPath(new URL('./store-server.js', import.meta.url))
  const child = fork(script, [side, name, url, dist], {
    env: { ...process.env, NODE_ENV: 'production', NODE_NO_WARNINGS: '1' },
  })
  const { port } = await reply(child)
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency })
  const started = { name: label, child, port, agent, cookies: [], rates: [], costs: [] }
  const made: Side = { ...started, latencies: { read: [], change: [], 'sign-in': [] } }
  for (let visitor = 0; visitor < VISITORS; visitor++) await visit(made, visitor, '/start')
  return made
}

function visit(side: Side, visitor: number, path: string): Promise<void> {
  const { port, agent, cookies } = side
  return new Promise((resolve, reject) => {
    const cookie = cookies[visitor]
    const headers = cookie === undefined ? {} : { cookie }
    request({ host: '127.0.0.1', port, path, agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${side.name}: ${response.statusCode}`))
      const [set] = response.headers['set-cookie'] ?? []
      if (set !== undefined) cookies[visitor] = set.split(';')[0]!
      response.resume()
      response.on('end', resolve)
    })
      .on('error', reject)
      .end()
  })
}

async function cpuOf({ child }: Side): Promise<number> {
  const answer = reply(child)
  child.send('cpu')
  const { cpu } = await answer
  return cpu.user + cpu.system
}

/** The same requests for every side: the n-th of a round is of the same kind. */
function kindOf(index: number): 'read' | 'change' | 'sign-in' {
  const at = (index * 37) % 100
  return at < 90 ? 'read' : at < 99 ? 'change' : 'sign-in'
}

async function measure(side: Side, count: number, isKept: boolean): Promise<void> {
  let next = 0
  const free = Array.from({ length: VISITORS }, (_, visitor) => visitor)
  const worker = async () => {
    while (next < count) {
      const kind = kindOf(next++)
      // Each visitor makes one request at a time: a sign-in changes the cookie of the next.
      const visitor = free.shift()!
      const began = performance.now()
      await visit(side, visitor, `/${kind}`)
      if (isKept) side.latencies[kind]!.push(performance.now() - began)
      free.push(visitor)
    }
  }
  const cpu = await cpuOf(side)
  const began = performance.now()
  await Promise.all(Array.from({ length: concurrency }, worker))
  const seconds = (performance.now() - began) / 1000
  if (!isKept) return
  side.costs.push(((await cpuOf(side)) - cpu) / count)
  side.rates.push(count / seconds)
}

function quantile(numbers: readonly number[], at: number): number {
  const sorted = [...numbers].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN
}

function spread(numbers: readonly number[], digits: number): string {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((at) => quantile(numbers, at).toFixed(digits))
  return `${middle} (${low} to ${high})`
}

if (!(name in STORES)) throw new Error(`There is ${Object.keys(STORES).join(', ')}; not ${name}.`)
if (name === 'mongodb' && !isRealMongo()) {
  // How fast the stand-in of the tests is says nothing.
  throw new Error('There is no mongod on this machine: name a server by MONGODB_URL.')
}
const folder = mkdtempSync(join(tmpdir(), 'coatcheck-bench-'))
const server = name === 'sqlite' ? undefined : await SERVERS[name].start()
const proxy = server && hop > 0 ? await faultProxy(server) : undefined
proxy?.delay(hop)
const sides: Side[] = []
try {
  const dist = pathToFileURL(join(process.cwd(), 'dist/esm/')).href
  const address = server?.url.replace(`:${server.port}`, `:${proxy?.port ?? server.port}`)
  const url = address ?? join(folder, 'sessions.db')
  sides.push(await start('theirs', STORES[name].theirs.name, url, dist))
  if (existsSync(new URL(`stores/${name}.js`, dist))) {
    sides.push(await start('coatcheck', 'coatcheck', url, dist))
    sides.push(await start('drop-in', 'drop-in', url, dist))
  } else {
    console.log(`dist has no stores/${name}.js: the side of coatcheck is left out.`)
  }
  for (const side of sides) await measure(side, hop > 0 ? WARM_UP / 10 : WARM_UP, false)
  for (let round = 0; round < rounds; round++) {
    // Another order each round, so that nobody always runs behind the same neighbour.
    for (let at = 0; at < sides.length; at++) {
      await measure(sides[(at + round) % sides.length]!, requests, true)
    }
  }
  report()
} finally {
  for (const { agent, child } of sides) {
    agent.destroy()
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.connected) child.disconnect()
    // Before their server is gone.
    if (child.exitCode === null) await ended
  }
  await proxy?.stop()
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
}

function report(): void {
  console.log(`Node ${process.version}, ${cpus()[0]?.model}, ${cpus().length} cores`)
  const wire = hop > 0 ? `, ${hop} ms each way to the server` : ''
  console.log(`${name}: ${rounds} rounds of ${requests} requests a side${wire}`)
  console.log('median (quartiles) of the rounds; latencies over all requests\n')
  for (const { name, rates, costs, latencies } of sides) {
    console.log(`  ${name}`)
    console.log(`    ${spread(rates, 0)} requests/s, ${spread(costs, 0)} µs CPU a request`)
    for (const [kind, all] of Object.entries(latencies)) {
      const [p50, p99] = [0.5, 0.99].map((at) => quantile(all, at).toFixed(2))
      console.log(`    ${kind}: p50 ${p50} ms, p99 ${p99} ms`)
    }
  }
  const [theirs, ...ours] = sides
  for (const side of ours) {
    const ratio = (pick: (side: Side) => number[]) =>
      pick(side).map((value, round) => value / pick(theirs!)[round]!)
    const [p50, p99] = [0.5, 0.99].map((at) =>
      (quantile(side.latencies.read!, at) / quantile(theirs!.latencies.read!, at)).toFixed(2),
    )
    console.log(`\n  ${side.name} / ${theirs!.name}`)
    console.log(
      `    requests/s ${spread(
        ratio(({ rates }) => rates),
        2,
      )}`,
    )
    console.log(
      `    CPU a request ${spread(
        ratio(({ costs }) => costs),
        2,
      )}`,
    )
    console.log(`    of a read: p50 ${p50}, p99 ${p99}`)
  }
}
