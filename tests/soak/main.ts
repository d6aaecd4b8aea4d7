// npm run test:soak: a server under full load for SOAK_MINUTES (20), with SOAK_STORE memory or file.
// Ends by itself, with 1 if anything was lost, undone, unhandled or left behind.
// SOAK_PLANT builds a bug in (see flaky-store.ts), and ends at the first violation.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { Graveyard } from './device.js'
import type { Plant } from './flaky-store.js'
import { growth, LONG, megabytes, SHORT } from './judge.js'
import type { Report, Sample, ServerOptions } from './server.js'
import { type Soak, Visitor } from './visitor.js'
import { Wire } from './wire.js'

const minutes = Number(process.env.SOAK_MINUTES ?? 20)
const visitors = Number(process.env.SOAK_VISITORS ?? 16)
const plant = process.env.SOAK_PLANT as Plant | undefined
const store = process.env.SOAK_STORE === 'file' ? 'file' : 'memory'
/** Below this nothing has warmed up, and only a flood of memory shows. */
const LONG_MINUTES = 5

const built = process.env.SOAK_BUILT ?? `${pathToFileURL(resolve('dist/esm')).href}/`
if (process.env.SOAK_BUILT === undefined && !existsSync('dist/esm/index.js')) {
  throw new Error('dist is not there: npm run build')
}
const folder = mkdtempSync(join(tmpdir(), 'coatcheck-soak-'))
const options: ServerOptions = {
  built,
  store,
  folder,
  failOneIn: Number(process.env.SOAK_FAIL_ONE_IN ?? 50),
  ...(plant === undefined ? {} : { plant }),
}

const server: ChildProcess = fork(
  new URL('./server.js', import.meta.url),
  [JSON.stringify(options)],
  { execArgv: ['--expose-gc', '--enable-source-maps'] },
)
const violations: string[] = []
let count = 0
let over = false
function violation(text: string): void {
  count++
  if (violations.length < 20) violations.push(text)
  if (plant !== undefined) over = true
}
let isLeaving = false
server.once('exit', (code) => {
  if (isLeaving) return
  console.error(`the server has ended with ${code}`, violations)
  process.exit(1)
})

async function asked<T>(question?: 'sample' | 'report'): Promise<T> {
  if (question !== undefined) server.send(question)
  const [answer] = await once(server, 'message')
  return answer as T
}

const { ports } = await asked<{ ports: number[] }>()
const wire = new Wire(ports)
const graveyard = new Graveyard()
let closed: Promise<void> | undefined
let atGate = 0
const soak: Soak = {
  wire,
  graveyard,
  violation,
  isOver: () => over,
  async gate() {
    atGate++
    await closed
    atGate--
  },
}

const began = Date.now()
const ends = began + minutes * 60_000
const samples: Sample[] = []
/** How much of what must not happen has been told. */
let heard = 0
const every = Math.min(10_000, (minutes * 60_000) / 12)
process.once('SIGINT', () => {
  over = true
})

let running = visitors
const work = Array.from({ length: visitors }, (_, index) =>
  new Visitor(soak, `user-${index}`).run().finally(() => running--),
)

/** Waits until everybody stands still, so that what is open is what was left open. */
async function look(): Promise<void> {
  let open = () => {}
  closed = new Promise((resolve) => {
    open = resolve
  })
  while (atGate < running) await sleep(5)
  wire.hangUp()
  // The server hears of closed connections a moment later.
  await sleep(100)
  samples.push(await asked<Sample>('sample'))
  const report = await asked<Report>('report')
  for (const text of report.fatal.slice(heard)) violation(text)
  heard = report.fatal.length
  closed = undefined
  open()
}

while (!over && Date.now() + every / 2 < ends) {
  await Promise.race([sleep(every), ...(plant === undefined ? [] : [ended()])])
  await look()
}
over = true
await Promise.all(work)
const report = await asked<Report>('report')
isLeaving = true
// It writes its files until it has ended.
const left = once(server, 'exit')
server.disconnect()
await left
rmSync(folder, { recursive: true, force: true, maxRetries: 10 })

async function ended(): Promise<void> {
  while (!over) await sleep(50)
}

if (wire.hanging > 0) violation(`${wire.hanging} requests have hung`)
const isLong = minutes >= LONG_MINUTES
// A bug that was found at once leaves too little to judge growth by.
if (plant === undefined || plant === 'leak') {
  for (const text of growth(samples, isLong ? LONG : SHORT)) violation(text)
}

const seconds = (Date.now() - began) / 1000
console.log(
  `${store} store, ${visitors} visitors, ${Math.round(seconds)} s, Node ${process.version}: ` +
    `${wire.requests} requests (${Math.round(wire.requests / seconds)}/s), ` +
    `${report.calls} store calls, ${report.failures} of them failed`,
)
console.log(`requests by kind: ${told(wire.counts)}`)
console.log(`events: ${told(report.events)}`)
console.log(`ended cookies: ${graveyard.buried}`)
console.log(`after each ${every / 1000} s: heap, external; timers, sockets, resources, records`)
const step = Math.max(1, Math.floor(samples.length / 24))
samples.forEach((one, index) => {
  if (index % step !== 0 && index !== samples.length - 1) return
  const { heap, external, timers, sockets, resources, records } = one
  console.log(
    `  ${megabytes(heap)}, ${megabytes(external)}; ${timers}, ${sockets}, ${resources}, ${records}`,
  )
})
console.log(`${count} violations`)
for (const text of violations) console.log(`  ${text}`)
process.exitCode = count > 0 ? 1 : 0

function told(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, n]) => `${name} ${n}`)
    .join(', ')
}
