import { createHmac } from 'node:crypto'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Exchange, OptionShape, Planted } from './sequence.js'

export interface ResponseAccount {
  readonly status: string
  /** Those that are the same each time, but the cookies. */
  readonly headers: readonly string[]
  readonly cookies: readonly string[]
  readonly body: string
}

/** What browsers take of one cookie. */
const MOST_BYTES = 4096

/** A browser that sends every cookie everywhere: what is tried is the server. */
export class Browser {
  readonly #cookies = new Map<string, string>()
  readonly #agents = {
    http: new HttpAgent({ keepAlive: true, maxSockets: 1 }),
    https: new HttpsAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false }),
  }
  readonly #ports: { readonly http: number; readonly https: number }

  constructor(ports: { readonly http: number; readonly https: number }) {
    this.#ports = ports
  }

  /** Another visitor, on the same connection. */
  forget(): void {
    this.#cookies.clear()
  }

  close(): void {
    this.#agents.http.destroy()
    this.#agents.https.destroy()
  }

  send(exchange: Exchange, options: OptionShape): Promise<ResponseAccount> {
    if (exchange.planted !== undefined) this.#plant(exchange.planted, options)
    const cookie = this.#header(exchange.cookie, options.name ?? 'session')
    const headers: Record<string, string> = {
      ...(exchange.forwarded ? { 'X-Forwarded-Proto': 'https' } : {}),
      ...(cookie === '' ? {} : { Cookie: cookie }),
    }
    const { tls } = exchange
    return new Promise((resolve, reject) => {
      const outgoing = (tls ? httpsRequest : httpRequest)({
        host: '127.0.0.1',
        port: tls ? this.#ports.https : this.#ports.http,
        agent: tls ? this.#agents.https : this.#agents.http,
        method: exchange.method,
        path: '/',
        headers,
      })
      outgoing.on('error', reject)
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const cookies = incoming.headers['set-cookie'] ?? []
          for (const line of cookies) this.#keep(line)
          resolve({
            status: `${incoming.statusCode} ${incoming.statusMessage}`,
            headers: headersOf(incoming.rawHeaders),
            cookies,
            body: Buffer.concat(chunks).toString(),
          })
        })
      })
      outgoing.end()
    })
  }

  #plant({ text, by, urlSafe }: Planted, { name = 'session', given }: OptionShape): void {
    const value = Buffer.from(text).toString(urlSafe ? 'base64url' : 'base64')
    this.#cookies.set(name, value)
    const hash = given === 'keygrip with sha256' ? 'sha256' : 'sha1'
    const signature = createHmac(hash, by).update(`${name}=${value}`).digest('base64url')
    this.#cookies.set(`${name}.sig`, signature)
  }

  #header(form: Exchange['cookie'], name: string): string {
    const value = this.#cookies.get(name)
    const signature = this.#cookies.get(`${name}.sig`)
    const pairs = [...this.#cookies].map(([other, text]) => `${other}=${text}`)
    const others = pairs.filter((pair) => !/^\.?(?:sig)?=/.test(pair.slice(name.length)))
    const changed = (text = '') => text.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))
    const both = (ours: string | undefined, its: string | undefined) => [
      ...others,
      ...(ours === undefined ? [] : [`${name}=${ours}`]),
      ...(its === undefined ? [] : [`${name}.sig=${its}`]),
    ]
    switch (form) {
      case 'kept':
        return pairs.join('; ')
      case 'dropped':
        return others.join('; ')
      case 'value changed':
        return both(value && changed(value), signature).join('; ')
      case 'signature changed':
        return both(value, changed(signature)).join('; ')
      case 'signature missing':
        return both(value, undefined).join('; ')
      case 'signature empty':
        return both(value, '').join('; ')
      case 'value empty':
        return both('', signature).join('; ')
      case 'quoted':
        return both(value && `"${value}"`, signature && `"${signature}"`).join('; ')
      case 'among others':
        return ['first=1', ...pairs, `x${name}=3`, 'last="2"'].join('; ')
      case 'twice, good first':
        return [...pairs, `${name}=garbage`, `${name}.sig=garbage`].join('; ')
      case 'twice, good last':
        return [`${name}=garbage`, ...pairs].join('; ')
      case 'spaced':
        return pairs.join(' ;   ')
    }
  }

  #keep(line: string): void {
    if (isTooLarge(line)) return
    const [pair = '', ...attributes] = line.split('; ')
    const at = pair.indexOf('=')
    const expires = attributes.find((attribute) => /^expires=/i.test(attribute))?.slice(8)
    if (expires !== undefined && Date.parse(expires) <= Date.now()) {
      this.#cookies.delete(pair.slice(0, at))
    } else {
      this.#cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
  }
}

export function isTooLarge(line: string): boolean {
  return Buffer.byteLength(line) > MOST_BYTES
}

function headersOf(raw: readonly string[]): string[] {
  const lines: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    const isOwn = /^(?:date|set-cookie)$/i.test(name)
    lines.push(isOwn ? name : `${name}: ${raw[at + 1]}`)
  }
  return lines
}
