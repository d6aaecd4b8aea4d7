import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { HeaderEdit } from '../../src/http/header-view.js'
import { holdResponse } from '../../src/http/hold-response.js'
import type { Holder, HoldReport, HoldSettings, ResponseHold } from '../../src/http/holder.js'
import { FakeClock } from '../../src/testing/fake-clock.js'

/** A holder that answers when the test says so, and writes down what happens. */
export class HandHolder implements Holder {
  readonly log: string[] = []
  readonly reports: HoldReport[] = []
  readonly begun: Promise<void>
  readonly over: Promise<void>
  /** Replaces the answer that the test gives by hand. */
  beginWith: (() => ReturnType<Holder['begin']>) | undefined
  finishWith: (() => ReturnType<Holder['finish']>) | undefined
  #markBegun!: () => void
  #markOver!: () => void
  #settle: { resolve: (edit?: HeaderEdit) => void; reject: (error: unknown) => void } | undefined

  constructor() {
    this.begun = new Promise((resolve) => {
      this.#markBegun = resolve
    })
    this.over = new Promise((resolve) => {
      this.#markOver = resolve
    })
  }

  begin(): ReturnType<Holder['begin']> {
    this.log.push('begin')
    this.#markBegun()
    if (this.beginWith !== undefined) return this.beginWith()
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
  }

  answer(edit?: HeaderEdit): void {
    this.#whenBegun('answer', () => this.#settle?.resolve(edit))
  }

  fail(error: unknown): void {
    this.#whenBegun('fail', () => this.#settle?.reject(error))
  }

  /** At once if there is a begin to answer; else when there is one. */
  #whenBegun(entry: string, run: () => void): void {
    const settle = () => {
      this.log.push(entry)
      run()
    }
    if (this.#settle !== undefined) settle()
    else this.begun.then(() => setImmediate(settle))
  }

  finish(): ReturnType<Holder['finish']> {
    this.log.push('finish')
    return this.finishWith?.()
  }

  ended(): void {
    this.log.push('ended')
    this.#markOver()
  }

  report(report: HoldReport): void {
    this.reports.push(report)
  }
}

/** A clock that nobody moves, unless a test gets hold of it. */
export function settingsWith(clock = new FakeClock()): HoldSettings {
  return { maxHeldBytes: 65_536, patience: 2_000, clock }
}

/** Holds `res`, with a `next` that takes an error and answers it like Express does. */
export function hold(
  res: object,
  holder: Holder,
  settings = settingsWith(),
  next: (error?: unknown) => void = () => {},
): ResponseHold {
  return holdResponse(res as ServerResponse, holder, next, settings)
}

/** A server on a free port of this machine, closed when the test is over. */
export async function serve(
  listener: RequestListener,
  options: ServerOptions = {},
): Promise<number> {
  return listen(createServer(options, listener))
}

export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A raw connection that keeps every byte that has arrived. */
export class RawClient {
  readonly socket: Socket
  readonly closed: Promise<void>
  #chunks: Buffer[] = []
  #wake: (() => void)[] = []

  constructor(port: number, onData?: () => void) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('data', (chunk) => {
      onData?.()
      this.#chunks.push(chunk)
      for (const wake of this.#wake.splice(0)) wake()
    })
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        resolve()
        for (const wake of this.#wake.splice(0)) wake()
      })
    })
    this.socket.on('error', () => {})
    onTestFinished(() => {
      this.socket.destroy()
    })
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  get text(): string {
    return this.bytes.toString('latin1')
  }

  send(text: string): this {
    this.socket.write(text.replaceAll('\n', '\r\n'))
    return this
  }

  /** Waits until the text that arrived matches; gives it. A close ends the wait. */
  async until(pattern: RegExp | string): Promise<string> {
    while (!(typeof pattern === 'string' ? this.text.includes(pattern) : pattern.test(this.text))) {
      if (this.socket.destroyed) throw new Error(`closed after ${JSON.stringify(this.text)}`)
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve)
      })
    }
    return this.text
  }
}

/** `GET / HTTP/1.1`, closing afterwards. */
export function get(path = '/', headers = '', method = 'GET', version = '1.1'): string {
  return `${method} ${path} HTTP/${version}\nHost: a\nConnection: close\n${headers}\n`
}

/** Sends one request, and gives all bytes up to the close. The date is a constant. */
export async function exchange(port: number, request = get()): Promise<string> {
  const client = new RawClient(port).send(request)
  await client.closed
  return client.text.replace(/Date: [^\r]+/g, 'Date: now')
}

/** The head and the body of raw bytes. */
export function split(text: string): { head: string; body: string } {
  const at = text.indexOf('\r\n\r\n')
  return { head: text.slice(0, at), body: text.slice(at + 4) }
}

/** A round trip on a connection of its own: what the server sent before it has arrived by then. */
export async function fence(port: number): Promise<void> {
  await exchange(port, get('/fence'))
}

/** Answers the path of {@link fence} at once; gives true if it did. */
export function isFence(req: IncomingMessage, res: ServerResponse): boolean {
  if (req.url !== '/fence') return false
  res.end('fence')
  return true
}
