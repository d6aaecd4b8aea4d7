// The server of a soak: two nodes with one store, in a process of their own. Its only argument is a
// `ServerOptions` as JSON; it speaks by messages.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import type { Clock } from '../../src/core/clock.js'
import type * as Coatcheck from '../../src/index.js'
import type * as Files from '../../src/stores/file.js'
import { FlakyStore, INJECTED, type Plant } from './flaky-store.js'
import { appWith, type SoakData } from './routes.js'

export interface ServerOptions {
  /** Where the built package is, as a URL that ends in a slash. */
  readonly built: string
  readonly store: 'memory' | 'file'
  readonly folder: string
  readonly failOneIn: number
  readonly plant?: Plant
}

/** What the server is like while nobody asks for anything. */
export interface Sample {
  readonly heap: number
  readonly external: number
  readonly timers: number
  readonly sockets: number
  readonly resources: number
  readonly records: number
}

export interface Report {
  readonly calls: number
  readonly failures: number
  readonly events: Readonly<Record<string, number>>
  /** What must not happen at all. */
  readonly fatal: readonly string[]
}

const SECRET = 'the secret of the soak, of 32 bytes and more'
/** More than a node remembers of what it has verified. */
const MANY_TOKENS = 11_000

const options: ServerOptions = JSON.parse(process.argv[2] ?? '{}')
const fatal: string[] = []
process.on('unhandledRejection', (reason) => fatal.push(`unhandled rejection: ${textOf(reason)}`))
process.on('uncaughtException', (error) => fatal.push(`uncaught exception: ${textOf(error)}`))
process.on('warning', (warning) => fatal.push(`warning: ${warning.name} ${warning.message}`))

const { session, MemoryStore }: typeof Coatcheck = await import(`${options.built}index.js`)
const { FileStore }: typeof Files = await import(`${options.built}stores/file.js`)

/** The clock of the machine, which knows how many timers are waiting. */
let timers = 0
const clock: Clock = {
  now: Date.now,
  setTimeout(run, ms) {
    const timer = { handle: undefined as NodeJS.Timeout | undefined, over: false }
    timers++
    timer.handle = setTimeout(() => {
      timer.over = true
      timers--
      run()
    }, ms).unref()
    return timer
  },
  clearTimeout(given) {
    const timer = given as { handle: NodeJS.Timeout; over: boolean }
    if (timer.over) return
    timer.over = true
    timers--
    clearTimeout(timer.handle)
  },
}

const inner =
  options.store === 'memory'
    ? new MemoryStore({ clock, maxEntries: 100_000 })
    : new FileStore({ clock, path: options.folder })
const store = new FlakyStore(inner, options.failOneIn, options.plant)
const counts: Record<string, number> = {}
const leaked: Buffer[] = []

function node(): { server: Server; sessions: Coatcheck.SessionManager<SoakData> } {
  const sessions = session<SoakData>({
    secret: SECRET,
    store,
    clock,
    idleTimeout: 60_000,
    // A machine under full load may stop for a while: that is no finding.
    storeTimeout: 10_000,
  })
  for (const name of ['create', 'commit', 'renew', 'destroy', 'expire', 'stale-write'] as const) {
    sessions.on(name, () => void count(name))
  }
  for (const name of ['conflict', 'corrupt', 'reject', 'duplicate'] as const) {
    sessions.on(name, () => void count(name))
  }
  sessions.on('error', ({ error }) => {
    count('error')
    if (!isInjected(error)) fatal.push(`error event: ${textOf(error)}`)
  })
  const server = createServer(appWith(sessions, meddle))
  // Else a client that has been stopped for a moment writes to a connection that has just expired.
  server.keepAliveTimeout = 10 * 60_000
  return { server, sessions }
}

function count(name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}

function isInjected(error: Error): boolean {
  return error.message === INJECTED || (error.cause as Error | undefined)?.message === INJECTED
}

function meddle(): void {
  count('requests')
  if (options.plant === 'leak') leaked.push(Buffer.from('x'.repeat(20_000)))
  if (Math.random() > 0.01) return
  if (options.plant === 'unhandled-rejection') Promise.reject(new Error('planted'))
  if (options.plant === 'warning') process.emitWarning('planted')
}

function textOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const { code } = thrown as { code?: string }
  return `${code ?? thrown.name}: ${thrown.message}\n${thrown.stack ?? ''}`
}

const nodes = [node(), node()]
let sweeping: Promise<unknown> | undefined
// Expired records go on time, so that what is left in memory is what is in use.
setInterval(() => {
  sweeping ??= nodes[0]?.sessions
    .sweep()
    .catch(() => {})
    .finally(() => {
      sweeping = undefined
    })
}, 5_000).unref()

/** Fills what the nodes remember, which would else take a part of the soak and look like a leak. */
async function warmUp(): Promise<void> {
  const elsewhere = session({ secret: SECRET, store: new MemoryStore({ maxEntries: 1 }) })
  for (let i = 0; i < MANY_TOKENS; i++) {
    const cookie = `sid=${await elsewhere.issue({ warm: true } as object)}`
    for (const { sessions } of nodes) await sessions.read({ headers: { cookie } }).catch(() => {})
  }
  await elsewhere.close()
}

async function sample(): Promise<Sample> {
  await sweeping
  for (const { sessions } of nodes) await sessions.settled()
  const open = nodes.map(({ server }) => promisify(server.getConnections.bind(server))())
  const sockets = (await Promise.all(open)).reduce((sum, n) => sum + n, 0)
  let records = 0
  if (options.store === 'memory') for await (const _ of inner.entries()) records++
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    globalThis.gc?.()
  }
  const { heapUsed, external } = process.memoryUsage()
  const resources = process.getActiveResourcesInfo().length
  return { heap: heapUsed, external, timers, sockets, resources, records }
}

process.on('message', async (asked) => {
  const report = (): Report => ({
    calls: store.calls,
    failures: store.failures,
    events: counts,
    fatal: fatal.slice(0, 20),
  })
  process.send?.(asked === 'sample' ? await sample() : report())
})
process.on('disconnect', () => process.exit())

await warmUp()
const listening = nodes.map(async ({ server }) => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
})
process.send?.({ ports: await Promise.all(listening) })
