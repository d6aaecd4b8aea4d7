import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { CookieJar, type FakeClock } from '../../src/testing/index.js'

/** Node's own limit is 16 KB for all headers of one message, on both sides. */
const MOST_HEADER_BYTES = 1 << 21

/** A response, read to its end. */
export interface WideResponse {
  readonly status: number
  readonly setCookies: readonly string[]
  readonly body: string
}

/** A browser that takes and sends headers of any size. */
export class WideClient {
  readonly jar: CookieJar
  readonly #port: number
  readonly #site: string

  /** @param site where the browser believes to be */
  constructor(port: number, clock: FakeClock, site: string) {
    this.jar = new CookieJar(clock)
    this.#port = port
    this.#site = site
  }

  /** @param cookie in the place of what the jar would send */
  async get(path: string, cookie?: string): Promise<WideResponse> {
    const url = new URL(path, this.#site)
    const sent = cookie ?? this.jar.header(url)
    const response = await this.send(path, sent)
    for (const line of response.setCookies) this.jar.take(line, url)
    return response
  }

  /** What the session of the next request is. */
  async data(path = '/'): Promise<Record<string, unknown>> {
    const { status, body } = await this.get(path)
    return status === 200 ? JSON.parse(body) : { status }
  }

  /** The names that the browser has, in order. */
  get names(): string[] {
    return [...this.jar].map(({ name }) => name)
  }

  /** A `Cookie` header of what the browser has, with or without some of it. */
  header(keep: (name: string) => boolean = () => true): string {
    const kept = [...this.jar].filter(({ name }) => keep(name))
    return kept.map(({ name, value }) => `${name}=${value}`).join('; ')
  }

  send(
    path: string,
    cookie: string | undefined,
    more: Readonly<Record<string, string>> = {},
  ): Promise<WideResponse> {
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          path,
          headers: cookie === undefined ? more : { ...more, cookie },
          maxHeaderSize: MOST_HEADER_BYTES,
          agent: false,
        },
        (message: IncomingMessage) => {
          let body = ''
          message.setEncoding('utf8')
          message.on('data', (text: string) => {
            body += text
          })
          message.on('error', reject)
          message.on('end', () => {
            const setCookies = message.headers['set-cookie'] ?? []
            resolve({ status: message.statusCode ?? 0, setCookies, body })
          })
        },
      )
      asked.on('error', reject)
      asked.end()
    })
  }
}

/** A server that takes headers of any size, or of `most` bytes, and browsers that go to it. */
export async function serveWide(
  listener: RequestListener,
  clock: FakeClock,
  most = MOST_HEADER_BYTES,
): Promise<(site?: string) => WideClient> {
  const server = createServer({ maxHeaderSize: most }, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return (site = 'http://shop.example') => new WideClient(port, clock, site)
}
