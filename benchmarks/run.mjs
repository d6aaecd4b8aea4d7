// CPU per request and requests per second of bare Express, Coatcheck, its drop-in for express-session
// and express-session itself, with their memory stores, in one interleaved run. The result is ratios:
// all sides met the same machine.
//
//   npm run bench [-- --rounds 60 --requests 600]
//   npm run bench -- redis [--rounds 20 --requests 1000 --hop 1]    see stores.ts
//
// With --baseline <folder> the build of another commit runs beside them, in the same run: the folder
// is a clone with its own dist (git clone, git checkout, npm install, npm run build).
import { fork, spawnSync } from 'node:child_process'
import { Agent, request } from 'node:http'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const {
  values,
  positionals: [store],
} = parseArgs({
  options: {
    rounds: { type: 'string' },
    requests: { type: 'string' },
    baseline: { type: 'string' },
    hop: { type: 'string' },
  },
  allowPositionals: true,
})
if (store !== undefined) process.exit(benchStore())
const rounds = Number(values.rounds ?? 60)
const requests = Number(values.requests ?? 600)
const CONCURRENCY = 8
const GROUP = 10
const baseline =
  values.baseline === undefined
    ? undefined
    : pathToFileURL(join(resolve(values.baseline), 'dist/esm/index.js')).href
const SIDES = ['bare', 'coatcheck', 'drop-in', 'express-session', ...(baseline ? ['baseline'] : [])]
const CASES = ['read', 'write', 'anonymous']

/** The stores need the servers of the tests, which are TypeScript. */
function benchStore() {
  const script = fileURLToPath(new URL('../scripts/run-typescript.mjs', import.meta.url))
  const given = Object.entries({ store, ...values })
  const env = given.map(([name, value]) => [`BENCH_${name.toUpperCase()}`, value])
  const args = [script, 'benchmarks/stores.ts', 'benchmarks/store-server.ts']
  const options = { env: { ...process.env, ...Object.fromEntries(env) }, stdio: 'inherit' }
  return spawnSync(process.execPath, args, options).status ?? 1
}

function reply(child) {
  return new Promise((resolve) => child.once('message', resolve))
}

async function start(side) {
  const child = fork(
    fileURLToPath(new URL('./server.mjs', import.meta.url)),
    [side, baseline ?? ''],
    {
      env: { ...process.env, NODE_ENV: 'production', NODE_NO_WARNINGS: '1' },
    },
  )
  const { port } = await reply(child)
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY })
  const { cookie } = await get({ port, agent }, '/start')
  return { side, child, port, agent, cookie }
}

function get({ port, agent }, path, cookie) {
  return new Promise((resolve, reject) => {
    const headers = cookie === undefined ? {} : { cookie }
    request({ host: '127.0.0.1', port, path, agent, headers }, (response) => {
      response.resume()
      response.on('end', () =>
        resolve({ cookie: response.headers['set-cookie']?.[0].split(';')[0] }),
      )
    })
      .on('error', reject)
      .end()
  })
}

async function cpuOf({ child }) {
  child.send('cpu')
  const { cpu } = await reply(child)
  return cpu.user + cpu.system
}

async function measure(server, path, count) {
  const cookie = path === '/anonymous' ? undefined : server.cookie
  let left = count
  const worker = async () => {
    while (left-- > 0) await get(server, path, cookie)
  }
  const cpu = await cpuOf(server)
  const began = performance.now()
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  const seconds = (performance.now() - began) / 1000
  return { cpu: ((await cpuOf(server)) - cpu) / count, rate: count / seconds }
}

function quantile(sorted, at) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))]
}

function spread(numbers, digits = 2) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const [low, middle, high] = [0.25, 0.5, 0.75].map((at) => quantile(sorted, at).toFixed(digits))
  return `${middle} (${low} to ${high})`
}

const servers = []
for (const side of SIDES) servers.push(await start(side))
for (const server of servers) {
  for (const name of CASES) await measure(server, `/${name}`, 5000)
}

console.log(`Node ${process.version}, ${cpus()[0].model}, ${cpus().length} cores`)
console.log(`${rounds} rounds of ${requests} requests a side and case; median (quartiles)\n`)
for (const name of CASES) {
  const results = Object.fromEntries(SIDES.map((side) => [side, []]))
  for (let round = 0; round < rounds; round++) {
    // Another order each round, so that nobody always runs behind the same neighbour.
    const order = servers.map((_, index) => servers[(index + round) % servers.length])
    for (const server of order) {
      results[server.side].push(await measure(server, `/${name}`, requests))
    }
  }
  const each = (pick) => Array.from({ length: rounds }, (_, round) => pick(round))
  const cpu = (side, round) => results[side][round].cpu
  console.log(`${name}`)
  for (const side of SIDES) {
    console.log(
      `  ${side.padEnd(16)} ${spread(
        results[side].map((one) => one.cpu),
        1,
      )} µs CPU a request, ` +
        `${spread(
          results[side].map((one) => one.rate),
          0,
        )} requests/s`,
    )
  }
  // Sums over a few rounds: a single round can meet a neighbour of this machine.
  const added = (side, rounds) =>
    rounds.reduce((sum, at) => sum + cpu(side, at) - cpu('bare', at), 0)
  const groups = Array.from({ length: Math.ceil(rounds / GROUP) }, (_, group) =>
    Array.from({ length: Math.min(GROUP, rounds - group * GROUP) }, (_, at) => group * GROUP + at),
  )
  console.log(
    `  CPU added over bare Express, µs:  ` +
      SIDES.slice(1)
        .map(
          (side) =>
            `${side} ${spread(
              groups.map((at) => added(side, at) / at.length),
              1,
            )}`,
        )
        .join(', '),
  )
  const RATIOS = [
    ['coatcheck', 'express-session'],
    ['drop-in', 'express-session'],
    ...(baseline ? [['coatcheck', 'baseline']] : []),
  ]
  for (const [side, other] of RATIOS) {
    console.log(
      `  the same, ${side} / ${other}: ` +
        spread(groups.map((at) => added(side, at) / added(other, at))),
    )
  }
  if (baseline) {
    console.log(
      `  all CPU, coatcheck / baseline: ` +
        spread(each((round) => cpu('coatcheck', round) / cpu('baseline', round))),
    )
  }
  for (const side of ['coatcheck', 'drop-in']) {
    const faster = (round) => results[side][round].rate / results['express-session'][round].rate
    console.log(`  requests/s, ${side} / express-session: ${spread(each(faster))}`)
  }
  console.log()
}
for (const { child, agent } of servers) {
  agent.destroy()
  child.disconnect()
}
