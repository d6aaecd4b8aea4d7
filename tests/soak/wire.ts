import { Agent, request } from 'node:http'

export interface Answer {
  /** 0: the connection broke, or was broken on purpose. */
  readonly status: number
  /** How it broke. */
  readonly broken?: string
  /** The code of the error page. */
  readonly code: string | undefined
  readonly body: string
  /** The session cookie as `name=value`; '' clears it; undefined: none was sent. */
  readonly cookie: string | undefined
}

export interface Asked {
  readonly cookie: string | undefined
  /** Breaks the connection after so many ms. */
  readonly abort?: number
}

/** Longer than any limit of the server: past it a request hangs. */
const HANGS = 60_000

/** Talks to the two nodes. */
export class Wire {
  readonly #ports: readonly number[]
  #agent = new Agent({ keepAlive: true, maxFreeSockets: 64 })
  requests = 0
  readonly counts: Record<string, number> = {}
  hanging = 0

  constructor(ports: readonly number[]) {
    this.#ports = ports
  }

  /** One request, to either node. */
  ask(method: 'GET' | 'POST', path: string, query: object, asked: Asked): Promise<Answer> {
    this.requests++
    const kind = asked.abort === undefined ? path : 'aborted'
    this.counts[kind] = (this.counts[kind] ?? 0) + 1
    const port = this.#ports[Math.floor(Math.random() * this.#ports.length)]
    const search = new URLSearchParams(query as Record<string, string>)
    return new Promise((resolve) => {
      const broken = (error: NodeJS.ErrnoException) => {
        clearTimeout(hangs)
        const how = `${error.code} ${error.message}${sent.reusedSocket ? ', kept alive' : ''}`
        resolve({ status: 0, code: undefined, body: '', cookie: undefined, broken: how })
      }
      const sent = request({
        host: '127.0.0.1',
        port,
        method,
        path: `${path}?${search}`,
        agent: this.#agent,
        headers: asked.cookie === undefined ? {} : { cookie: asked.cookie },
      })
      const hangs = setTimeout(() => {
        this.hanging++
        sent.destroy()
      }, HANGS)
      if (asked.abort !== undefined) setTimeout(() => sent.destroy(), asked.abort)
      sent.on('error', broken)
      sent.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', broken)
        response.on('end', () => {
          clearTimeout(hangs)
          const body = Buffer.concat(chunks).toString()
          const status = response.statusCode ?? 0
          const line = response.headers['set-cookie']?.[0]?.split(';')[0]
          resolve({
            status,
            code: status < 400 ? undefined : codeOf(body),
            body,
            cookie: line?.endsWith('=') ? '' : line,
          })
        })
      })
      sent.end()
    })
  }

  /** Closes what is kept alive. */
  hangUp(): void {
    this.#agent.destroy()
    this.#agent = new Agent({ keepAlive: true, maxFreeSockets: 64 })
  }
}

/** A bare error page has no code. */
function codeOf(body: string): string {
  try {
    return String(JSON.parse(body).code)
  } catch {
    return 'bare'
  }
}
