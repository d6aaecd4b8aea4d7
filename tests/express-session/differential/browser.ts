import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { createRequire } from 'node:module'
import type { ResponseAccount } from './account.js'
import type { CookieForm, Exchange, OptionShape } from './sequence.js'

const require = createRequire(import.meta.url)
const signature = require('cookie-signature') as {
  sign(value: string, secret: string): string
  unsign(value: string, secret: string): string | false
}

/** How long a response may take before it counts as one that never comes. */
const PATIENCE = 2000

export interface Ports {
  readonly http: number
  readonly https: number
}

/** A browser that sends every cookie everywhere: what is tried is the server. */
export class Browser {
  readonly #cookies = new Map<string, string>()
  readonly #agents = {
    http: new HttpAgent({ keepAlive: true, maxSockets: 1 }),
    https: new HttpsAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false }),
  }
  readonly #ports: Ports

  constructor(ports: Ports) {
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

  /** The id in the cookie of the session, if it is signed. */
  idFor(options: OptionShape): string | undefined {
    const value = this.#cookies.get(nameOf(options))
    return value === undefined ? undefined : decodedCookie(value, options).id
  }

  /** Gets a cookie for `id`, as the server would have set it. */
  takeCookie(id: string, options: OptionShape, secret: string): void {
    this.#cookies.set(nameOf(options), encoded(`s:${signature.sign(id, secret)}`))
  }

  send(exchange: Exchange, options: OptionShape, secret: string): Promise<ResponseAccount> {
    const request = exchange.tls ? httpsRequest : httpRequest
    const cookie = this.#header(exchange.cookie, nameOf(options), secret)
    const headers: Record<string, string> = {
      ...(exchange.close ? { Connection: 'close' } : {}),
      ...(exchange.forwarded === undefined ? {} : { 'X-Forwarded-Proto': exchange.forwarded }),
      ...(cookie === '' ? {} : { Cookie: cookie }),
    }
    return new Promise((resolve) => {
      const outgoing = request({
        host: '127.0.0.1',
        port: exchange.tls ? this.#ports.https : this.#ports.http,
        agent: exchange.tls ? this.#agents.https : this.#agents.http,
        method: exchange.method,
        path: exchange.path,
        headers,
      })
      const give = (answer: ResponseAccount) => {
        clearTimeout(timer)
        resolve(answer)
      }
      const timer = setTimeout(() => {
        give({ failure: 'no response' })
        outgoing.destroy()
      }, PATIENCE)
      outgoing.on('error', (error) => give({ failure: String(error) }))
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', () => give({ failure: 'the response broke off' }))
        incoming.on('end', () => {
          const cookies = incoming.headers['set-cookie'] ?? []
          for (const line of cookies) this.#keep(line)
          give({
            status: `${incoming.statusCode} ${incoming.statusMessage}`,
            headers: headersOf(incoming.rawHeaders),
            cookies: cookies.map((line) => shownCookie(line, options)),
            body: Buffer.concat(chunks).toString(),
          })
        })
      })
      outgoing.end()
    })
  }

  #header(form: CookieForm, name: string, secret: string): string {
    const value = this.#cookies.get(name)
    const others = [...this.#cookies].filter(([other]) => other !== name)
    const pairs = others.map(([other, text]) => `${other}=${text}`)
    const own = value === undefined ? [] : [...formsOf(form, value, name, secret)]
    if (form === 'unknown id' && value === undefined) {
      own.push(`${name}=${encoded(`s:${signature.sign('nobody', secret)}`)}`)
    }
    return [...pairs, ...own].join('; ')
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split('; ')
    const at = pair.indexOf('=')
    const expires = attributes.find((attribute) => attribute.startsWith('Expires='))?.slice(8)
    if (expires !== undefined && Date.parse(expires) <= Date.now()) {
      this.#cookies.delete(pair.slice(0, at))
    } else {
      this.#cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
  }
}

function* formsOf(
  form: CookieForm,
  value: string,
  name: string,
  secret: string,
): Generator<string, void> {
  const signed = decodeURIComponent(value)
  switch (form) {
    case 'kept':
      return yield `${name}=${value}`
    case 'dropped':
      return
    case 'signature changed':
      return yield `${name}=${encoded(signed.slice(0, -2))}xx`
    case 'id changed':
      return yield `${name}=${encoded(signed.replace(/^s:/, 's:x'))}`
    case 'unsigned':
      return yield `${name}=${encoded(signed.slice(2))}`
    case 'quoted':
      return yield `${name}="${value}"`
    case 'not encoded':
      return yield `${name}=${/[;",\\ ]/.test(signed) ? value : signed}`
    case 'among others':
      return yield `first=1; ${name}=${value}; last="2"; x${name}=3`
    case 'garbage behind':
      return yield `${name}=${value}; ${name}=garbage`
    case 'garbage before':
      return yield `${name}=s%3Agarbage.garbage; ${name}=${value}`
    case 'unknown id':
      return yield `${name}=${encoded(`s:${signature.sign('nobody', secret)}`)}`
    case 'empty':
      return yield `${name}=`
  }
}

export function nameOf({ name, key }: OptionShape): string {
  return name ?? key ?? 'connect.sid'
}

function encoded(value: string): string {
  return encodeURIComponent(value)
}

const SECRETS = ['first secret', 'second secret', 'third']

export { SECRETS }

/** The id in a cookie, and which secret has signed it. */
function decodedCookie(value: string, _options: OptionShape): { id: string; by: string } {
  const text = decodeURIComponent(value)
  for (const secret of SECRETS) {
    const id = text.startsWith('s:') && signature.unsign(text.slice(2), secret)
    if (typeof id === 'string') return { id, by: secret }
  }
  return { id: text, by: 'nobody' }
}

/** A `Set-Cookie` line whose value is shown as what is in it, if it is the session's. */
function shownCookie(line: string, options: OptionShape): string {
  const name = nameOf(options)
  if (!line.startsWith(`${name}=`)) return line
  const [pair = '', ...attributes] = line.split('; ')
  const value = pair.slice(name.length + 1)
  const { id, by } = decodedCookie(value, options)
  const exact = encoded(decodeURIComponent(value)) === value ? '' : ' (in another encoding)'
  return [`${name}=<${id} signed with ${by}${exact}>`, ...attributes].join('; ')
}

/** Name and value of each header but the cookies, and without what is different each time. */
function headersOf(raw: readonly string[]): string[] {
  const lines: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    if (/^(date|set-cookie)$/i.test(name)) continue
    lines.push(`${name}: ${raw[at + 1]}`)
  }
  return lines
}
