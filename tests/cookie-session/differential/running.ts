import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { vi } from 'vitest'
import { TEST_CERTIFICATE } from '../../support/tls.js'
import type { Implementation, Middleware, OldRequest } from '../implementations.js'
import { Browser, type ResponseAccount } from './browser.js'
import { attributesOf, respond, runSteps, type Visit } from './handler.js'
import type { Exchange, OptionShape, Sequence } from './sequence.js'

const Keygrip = createRequire(import.meta.url)('keygrip') as new (
  keys: readonly string[],
  hash?: string,
) => object

type Next = (error?: unknown) => void

/** The time at which every case begins. */
const START = Date.UTC(2030, 0, 1)

/** What a sequence showed from outside: everything that is compared. */
export interface Account {
  readonly exchanges: readonly ExchangeAccount[]
}

export interface ExchangeAccount {
  readonly response: ResponseAccount
  /** What the handler saw of the session, and the error page. */
  readonly saw: readonly unknown[]
  readonly warnings: readonly string[]
}

interface Scene {
  readonly sequence: Sequence
  readonly exchange: Exchange
  readonly middleware: Middleware
  readonly saw: unknown[]
  readonly end: () => void
}

let scene: Scene | undefined

/** Runs sequences one at a time. Time stands still but for what a sequence says. */
export class Runner {
  readonly #servers = [createServer(answer), createSecureServer(TEST_CERTIFICATE, answer)]
  readonly #warnings: string[] = []
  readonly #emitWarning = process.emitWarning
  readonly #onDeprecation = () => {}
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
    process.emitWarning = (_warning: string | Error, options?: unknown) => {
      this.#warnings.push((options as { code: string }).code)
    }
    // Else depd prints them.
    process.on('deprecation', this.#onDeprecation)
  }

  close(): void {
    process.emitWarning = this.#emitWarning
    process.off('deprecation', this.#onDeprecation)
    vi.useRealTimers()
    this.#browser.close()
    for (const server of this.#servers) {
      server.closeAllConnections()
      server.close()
    }
  }

  /** What implementations make of the sequence: of each exchange the one that `turn` gives. */
  async run(sequence: Sequence, turn: (exchange: number) => Implementation): Promise<Account> {
    vi.setSystemTime(START)
    this.#browser.forget()
    const exchanges: ExchangeAccount[] = []
    for (const { options, exchanges: planned } of sequence.phases) {
      const started = new Map<Implementation, Middleware>()
      for (const exchange of planned) {
        const implementation = turn(exchanges.length)
        const middleware = started.get(implementation) ?? implementation.session(made(options))
        started.set(implementation, middleware)
        vi.setSystemTime(Date.now() + exchange.advance)
        exchanges.push(await this.#exchange(sequence, exchange, options, middleware))
      }
    }
    return { exchanges }
  }

  async #exchange(
    sequence: Sequence,
    exchange: Exchange,
    options: OptionShape,
    middleware: Middleware,
  ): Promise<ExchangeAccount> {
    const saw: unknown[] = []
    this.#warnings.length = 0
    // A HEAD request is answered when the headers have come: the handler may still be at work.
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    scene = { sequence, exchange, middleware, saw, end }
    const response = await this.#browser.send(exchange, options)
    await ended
    return { response, saw, warnings: [...this.#warnings] }
  }
}

function made({ keys, given, ...attributes }: OptionShape): object {
  const options = attributesOf(attributes, START)
  switch (given) {
    case 'keys':
      return { ...options, keys: [...keys] }
    case 'secret':
      return { ...options, secret: keys[0] }
    case 'keygrip':
      return { ...options, keys: new Keygrip(keys) }
    case 'keygrip with sha256':
      return { ...options, keys: new Keygrip(keys, 'sha256') }
  }
}

const app = express()
app.set('etag', false)
app.use((req, res, next) => (scene as Scene).middleware(req, res, next))
app.use((req, res, next) => handle(req as unknown as OldRequest, res, next))
const onError: express.ErrorRequestHandler = (error, _req, res, _next) => errorPage(error, res)
app.use(onError)

function answer(req: IncomingMessage, res: ServerResponse): void {
  const { sequence, middleware, end } = scene as Scene
  res.on('close', end)
  if (sequence.host.kind === 'express') {
    app.set('trust proxy', sequence.host.trustProxy)
    app(req, res)
    return
  }
  const fail: Next = (error) => errorPage(error, res)
  try {
    middleware(req, res, (error) => {
      if (error !== undefined) fail(error)
      else handle(req as OldRequest, res, fail).catch(fail)
    })
  } catch (error) {
    fail(error)
  }
}

async function handle(req: OldRequest, res: ServerResponse, fail: Next): Promise<void> {
  const { exchange, saw } = scene as Scene
  const visit: Visit = { req, res, exchange, start: START, saw, fail }
  await runSteps(visit, exchange.steps)
  await respond(visit)
}

function errorPage(error: unknown, res: ServerResponse): void {
  const { saw } = scene as Scene
  const { name, message, code, status } = error as Record<string, unknown>
  saw.push(['the error page', name, code ?? message])
  if (res.headersSent) return
  res.statusCode = typeof status === 'number' ? status : 500
  res.setHeader('Content-Type', 'text/plain')
  res.end(`${name} ${code ?? message}`)
}
