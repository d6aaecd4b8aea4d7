import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { compileFunction } from 'node:vm'
import cookieParser from 'cookie-parser'
import express from 'express'
import { vi } from 'vitest'
import { TEST_CERTIFICATE } from '../../support/tls.js'
import type { Implementation } from '../implementations.js'
import { type Account, type ExchangeAccount, withoutRandomIds } from './account.js'
import { Browser, SECRETS } from './browser.js'
import { messageOf, type OldRequest, runSteps, type Visit } from './handler.js'
import { optionsOf } from './options.js'
import { type RecordingStore, recordingStore } from './recording-store.js'
import { respond } from './responses.js'
import type { Exchange, OptionShape, Phase, Sequence } from './sequence.js'

type Next = (error?: unknown) => void
type Handler = (req: OldRequest, res: ServerResponse, next: Next) => void
type Assign = Visit['assign']

interface Ids {
  made: number
  planted: number
}

/** The time at which every case begins. */
const START = Date.UTC(2030, 0, 1)

/** What the request handler of the moment needs to know. */
interface Scene {
  readonly sequence: Sequence
  readonly exchange: Exchange
  readonly implementation: Implementation
  readonly store: RecordingStore
  readonly middleware: Handler
  readonly assign: Assign
  readonly saw: unknown[]
  readonly nexts: string[]
  readonly end: () => void
}

let scene: Scene | undefined

/**
 * Runs sequences one at a time, over real sockets. Time stands still but for what a sequence says.
 */
export class Runner {
  readonly #servers = [createServer(answer), createSecureServer(TEST_CERTIFICATE, answer)]
  #browser!: Browser

  async open(): Promise<void> {
    const [http, https] = await Promise.all(
      this.#servers.map(async (server) => {
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        return (server.address() as AddressInfo).port
      }),
    )
    this.#browser = new Browser({ http: http as number, https: https as number })
    vi.useFakeTimers({ toFake: ['Date'], now: START })
  }

  close(): void {
    vi.useRealTimers()
    this.#browser.close()
    for (const server of this.#servers) {
      server.closeAllConnections()
      server.close()
    }
  }

  /** What `implementation` makes of the sequence. */
  async run(sequence: Sequence, implementation: Implementation): Promise<Account> {
    vi.setSystemTime(START)
    this.#browser.forget()
    const store = recordingStore(sequence.store, implementation)
    const exchanges: ExchangeAccount[] = []
    const ids: Ids = { made: 0, planted: 0 }
    for (const phase of sequence.phases) {
      exchanges.push(...(await this.#runPhase(sequence, phase, implementation, store, ids)))
    }
    return withoutRandomIds({ exchanges })
  }

  async #runPhase(
    sequence: Sequence,
    phase: Phase,
    implementation: Implementation,
    store: RecordingStore,
    ids: Ids,
  ): Promise<ExchangeAccount[]> {
    const output = new Output()
    const { middleware, assign } = startApp(phase.options, implementation, store, ids)
    let started = output.stop()
    const accounts: ExchangeAccount[] = []
    for (const exchange of phase.exchanges) {
      vi.setSystemTime(Date.now() + exchange.advance)
      const secret = secretOf(phase.options, sequence)
      await this.#befall(exchange, phase.options, secret, store, ids)
      const heard = new Output()
      const saw: unknown[] = []
      const nexts: string[] = []
      store.recorder.begin(exchange.fault)
      // A HEAD request is answered when the headers have come: the handler may still be at work.
      let end = () => {}
      const ended = new Promise<void>((resolve) => {
        end = resolve
      })
      scene = { sequence, exchange, implementation, store, middleware, assign, saw, nexts, end }
      const response = await this.#browser.send(exchange, phase.options, secret)
      await ended
      await quiet(store)
      const { calls, thrown } = store.recorder
      accounts.push({
        started,
        response,
        saw: [...saw, ...thrown],
        calls: [...calls],
        nexts,
        output: heard.stop(),
        records: await store.records(),
      })
      started = []
    }
    return accounts
  }

  async #befall(
    { mishap }: Exchange,
    options: OptionShape,
    secret: string,
    { store, plant }: RecordingStore,
    ids: Ids,
  ): Promise<void> {
    if (mishap === undefined) return
    if (mishap === 'connect' || mishap === 'disconnect') return void store.emit(mishap)
    const known = this.#browser.idFor(options)
    if (mishap === 'vanishes') return known === undefined ? undefined : plant(known)
    // Under an id of its own: one that was ended is not looked after any more.
    const id = `planted-${++ids.planted}`
    this.#browser.takeCookie(id, options, secret)
    await plant(id, mishap.planted || undefined)
  }
}

function secretOf({ secret }: OptionShape, { host }: Sequence): string {
  const own = typeof secret === 'object' ? secret[0] : secret
  return own ?? host.cookieParser ?? (SECRETS[0] as string)
}

let appsStarted = 0

/**
 * The program that uses the middleware, in a file of its own each time: `depd` tells a deprecation
 * once for each place that calls.
 */
function startApp(
  shape: OptionShape,
  { session }: Implementation,
  { store }: RecordingStore,
  ids: Ids,
): { middleware: Handler; assign: Assign } {
  const code = `
    const middleware = session(options)
    return {
      middleware: (req, res, next) => middleware(req, res, next),
      assign: (target, name, value) => { target[name] = value },
    }`
  const filename = `/app-${++appsStarted}.js`
  const start = compileFunction(code, ['session', 'options'], { filename })
  return start(session, { ...optionsOf(shape, ids, START), store })
}

const app = express()
app.use((req, res, next) => parseCookies(req, res, next))
app.use((req, res, next) => runMiddleware(req as unknown as OldRequest, res, next))
app.use((req, res, next) => handle(req as unknown as OldRequest, res, next))
const onError: express.ErrorRequestHandler = (error, _req, res, _next) => errorPage(error, res)
app.use(onError)

function answer(req: IncomingMessage, res: ServerResponse): void {
  const { sequence, end } = scene as Scene
  res.on('close', end)
  if (sequence.host.kind === 'express') {
    app.set('trust proxy', sequence.host.trustProxy)
    // An ETag is made of the body, and the body shows ids.
    app.set(
      'etag',
      sequence.phases.some(({ options }) => options.genid === 'random') ? false : 'weak',
    )
    app(req, res)
    return
  }
  const next: Next = (error) => {
    if (error !== undefined) errorPage(error, res)
    else handle(req, res, (failure) => errorPage(failure, res)).catch(next)
  }
  try {
    runMiddleware(req, res, next)
  } catch (error) {
    next(error)
  }
}

function parseCookies(req: express.Request, res: express.Response, next: Next): void {
  const { cookieParser: secret } = (scene as Scene).sequence.host
  if (secret === undefined) next()
  else cookieParser(secret)(req, res, next)
}

/** The first answer goes on; later ones come when a response is there, and are written down. */
function runMiddleware(req: OldRequest, res: ServerResponse, next: Next): void {
  const { middleware, nexts } = scene as Scene
  try {
    middleware(req, res, (error?: unknown) => {
      nexts.push(error === undefined ? 'next()' : `next(${messageOf(error)})`)
      if (nexts.length === 1) next(error)
    })
  } catch (error) {
    nexts.push(`threw ${messageOf(error)}`)
    throw error
  }
}

async function handle(req: OldRequest, res: ServerResponse, fail: Next): Promise<void> {
  const { exchange, store, implementation, saw, assign } = scene as Scene
  res.on('error', (error) => saw.push(`the response had the error ${error.message}`))
  const { recorder } = store
  recorder.stage = 'handler'
  const first = req.session
  const visit: Visit = { req, res, exchange, recorder, implementation, saw, first, assign, fail }
  await runSteps(visit, exchange.steps)
  await respond(visit)
}

function errorPage(error: unknown, res: ServerResponse): void {
  const { saw } = scene as Scene
  saw.push(`the error page was asked for ${messageOf(error)}`)
  if (res.headersSent) return
  res.statusCode = (error as { status?: number }).status ?? 500
  res.setHeader('Content-Type', 'text/plain')
  res.end(messageOf(error))
}

/** Until nothing is under way behind the response. */
async function quiet({ recorder }: RecordingStore): Promise<void> {
  for (let still = 0; still < 8; still = recorder.isIdle ? still + 1 : 0) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** The console, the warnings and the deprecations of a while. */
class Output {
  readonly #lines: string[] = []
  readonly #console = { ...console }
  readonly #emitWarning = process.emitWarning
  readonly #onDeprecation = (error: { namespace?: string; message: string }) => {
    // Told once for each caller of the middleware, of which a process has one: its router.
    if (error.message === 'cookie should be available in req.headers.cookie') return
    this.#lines.push(`${error.namespace} deprecated ${error.message}`)
  }

  constructor() {
    for (const name of ['log', 'warn', 'error', 'info'] as const) {
      console[name] = (...given: unknown[]) => void this.#lines.push(`${name}: ${given.join(' ')}`)
    }
    process.emitWarning = (warning: string | Error, options?: unknown) => {
      const { code } = (options ?? {}) as { code?: string }
      this.#lines.push(`warning ${code ?? String(warning)}`)
    }
    process.on('deprecation', this.#onDeprecation)
  }

  stop(): string[] {
    Object.assign(console, this.#console)
    process.emitWarning = this.#emitWarning
    process.off('deprecation', this.#onDeprecation)
    return this.#lines
  }
}
