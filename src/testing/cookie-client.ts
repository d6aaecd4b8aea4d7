import * as http from 'node:http'
import * as https from 'node:https'
import { isIP } from 'node:net'
import type { Clock } from '../core/clock.js'
import { CookieJar } from './cookie-jar.js'

/** How a {@link CookieClient} behaves on every request. */
export interface CookieClientOptions {
  /**
   * Where the sockets really go, when that is not the origin in the address bar: with the origin
   * `https://shop.example` and `connect: 'http://127.0.0.1:3000'` the browser is on HTTPS and the
   * server sees the plain hop behind a proxy that ends TLS. Every host is then found there.
   */
  connect?: string
  /** Whose time decides when a cookie expires. @default the clock of the machine */
  clock?: Clock
  /** The cookies to start with, shared with whoever else has this jar. @default an empty jar */
  jar?: CookieJar
  /** Reuse connections; then `close()` ends them. @default false */
  keepAlive?: boolean
  /** An agent of your own instead; yours to end. */
  agent?: http.Agent | https.Agent
  /** False accepts a self-signed certificate. @default true */
  rejectUnauthorized?: boolean
  /** Headers of every request, such as `X-Forwarded-Proto`. */
  headers?: Readonly<Record<string, string>>
  /** Sees every request before it is sent, redirects included: to watch its socket or to abort. */
  onRequest?: (request: http.ClientRequest) => void
}

/** One request. */
export interface CookieRequest {
  /** @default 'GET' */
  method?: string
  /** A `cookie` header of your own replaces what the jar would send. */
  headers?: Readonly<Record<string, string>>
  /** A plain object or array goes as JSON, with its content type unless you name one. */
  body?: string | Uint8Array | URLSearchParams | object
  /** `follow` goes where a browser would go, with the cookies just received. @default 'manual' */
  redirect?: 'manual' | 'follow'
  signal?: AbortSignal
}

/** A response, read to its end. */
export interface CookieResponse {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  /** The `Set-Cookie` lines of this response, in order. */
  readonly setCookies: readonly string[]
  /** Where the response came from, after redirects. */
  readonly url: string
  readonly body: Buffer
  text(): string
  json<T = unknown>(): T
}

// The Fetch standard gives up after 20 redirects.
const MOST_REDIRECTS = 20

/**
 * A browser, as far as cookies go, over real sockets: it keeps what the server sets and sends what
 * a browser would send. Several clients are several browsers.
 *
 * ```ts
 * const browser = new CookieClient(`http://127.0.0.1:${port}`)
 * await browser.post('/login', { body: { name: 'ada' } })
 * const page = await browser.get('/')
 * ```
 */
export class CookieClient {
  /** The origin in the address bar. */
  readonly origin: string
  readonly jar: CookieJar
  readonly #options: CookieClientOptions
  #ownAgent: http.Agent | undefined

  constructor(origin: string, options: CookieClientOptions = {}) {
    this.origin = new URL(origin).origin
    this.jar = options.jar ?? new CookieJar(options.clock)
    this.#options = options
  }

  get(path: string, request: Omit<CookieRequest, 'method' | 'body'> = {}): Promise<CookieResponse> {
    return this.request(path, { ...request, method: 'GET' })
  }

  post(path: string, request: Omit<CookieRequest, 'method'> = {}): Promise<CookieResponse> {
    return this.request(path, { ...request, method: 'POST' })
  }

  /** Sends a request to a path of the origin, or to a whole URL. Any status resolves. */
  async request(path: string, request: CookieRequest = {}): Promise<CookieResponse> {
    let url = new URL(path, this.origin)
    let method = request.method ?? 'GET'
    let { headers, payload } = prepare(request, this.#options.headers)
    for (let redirects = 0; ; redirects++) {
      const response = await this.#send(url, method, headers, payload, request.signal)
      const location = response.headers.location
      const redirected = [301, 302, 303, 307, 308].includes(response.status) && location
      if (!redirected || request.redirect !== 'follow') return response
      if (redirects === MOST_REDIRECTS) throw new Error(`more than ${MOST_REDIRECTS} redirects`)

      const next = new URL(location, url)
      // The Fetch standard, HTTP-redirect fetch: 303 always, 301 and 302 after a POST.
      const toGet =
        response.status === 303
          ? method !== 'GET' && method !== 'HEAD'
          : response.status < 303 && method === 'POST'
      if (toGet) {
        method = 'GET'
        payload = undefined
        headers = without(headers, /^content-/)
      }
      if (next.origin !== url.origin) headers = without(headers, /^(?:authorization|cookie|host)$/)
      url = next
    }
  }

  /** A second browser with the same cookies: a stolen jar, or one restored from a backup. */
  clone(): CookieClient {
    return new CookieClient(this.origin, { ...this.#options, jar: this.jar.clone() })
  }

  /** What closing and reopening the browser does to its cookies. */
  dropSessionCookies(): void {
    this.jar.dropSessionCookies()
  }

  /** Ends the connections kept alive. */
  close(): void {
    this.#ownAgent?.destroy()
    this.#ownAgent = undefined
  }

  #send(
    url: URL,
    method: string,
    headers: Record<string, string>,
    payload: Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<CookieResponse> {
    const hop = new URL(this.#options.connect ?? url.origin)
    const secure = hop.protocol === 'https:'
    const cookie = headers.cookie ?? this.jar.header(url)
    const options: https.RequestOptions = {
      host: hop.hostname.replace(/^\[|\]$/g, ''),
      port: hop.port || (secure ? 443 : 80),
      method,
      path: url.pathname + url.search,
      headers: {
        host: url.host,
        ...headers,
        ...(payload && { 'content-length': String(payload.byteLength) }),
        ...(cookie !== undefined && { cookie }),
      },
      agent: this.#agent(secure),
      rejectUnauthorized: this.#options.rejectUnauthorized ?? true,
      ...(secure && isIP(url.hostname) === 0 && { servername: url.hostname }),
      ...(signal && { signal }),
    }
    return new Promise((resolve, reject) => {
      const request = (secure ? https : http).request(options, (message) => {
        const setCookies = message.headers['set-cookie'] ?? []
        // A browser keeps the cookies when the headers are in, not when the body is.
        for (const line of setCookies) this.jar.take(line, url)
        const chunks: Buffer[] = []
        message.on('data', (chunk: Buffer) => chunks.push(chunk))
        message.on('error', reject)
        message.on('end', () => {
          const body = Buffer.concat(chunks)
          resolve({
            status: message.statusCode ?? 0,
            headers: message.headers,
            setCookies,
            url: url.href,
            body,
            text: () => body.toString(),
            json: <T>() => JSON.parse(body.toString()) as T,
          })
        })
      })
      request.on('error', reject)
      this.#options.onRequest?.(request)
      request.end(payload)
    })
  }

  #agent(secure: boolean): http.Agent | false {
    if (this.#options.agent !== undefined) return this.#options.agent
    if (this.#options.keepAlive !== true) return false
    this.#ownAgent ??= new (secure ? https : http).Agent({ keepAlive: true })
    return this.#ownAgent
  }
}

function prepare(
  { body, headers }: CookieRequest,
  always: Readonly<Record<string, string>> = {},
): { headers: Record<string, string>; payload?: Uint8Array } {
  const sent: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...always, ...headers })) {
    sent[name.toLowerCase()] = value
  }
  if (body === undefined) return { headers: sent }
  if (body instanceof Uint8Array) return { headers: sent, payload: body }
  if (body instanceof URLSearchParams) {
    sent['content-type'] ??= 'application/x-www-form-urlencoded'
  } else if (typeof body === 'object') {
    sent['content-type'] ??= 'application/json'
    return { headers: sent, payload: Buffer.from(JSON.stringify(body)) }
  }
  return { headers: sent, payload: Buffer.from(String(body)) }
}

function without(headers: Record<string, string>, names: RegExp): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.test(name)))
}
