import { ServerResponse } from 'node:http'
import type { SessionManager } from '../../src/index.js'
import type { AnyData } from '../support/serve.js'

/** What came back to the client. */
export interface Answer {
  readonly status: number
  readonly setCookies: readonly string[]
}

export interface Exchange {
  readonly cookie?: string
  /** Called at the moment the response leaves. */
  sent?(answer: Answer): void
  handler(req: object): Promise<void>
}

/** A response without a socket that tells when it has really left. */
class UnconnectedResponse extends ServerResponse {
  onEnd = () => {}

  override end(...args: unknown[]): this {
    Reflect.apply(super.end, this, args)
    this.onEnd()
    return this
  }
}

/** One request through the real middleware, without a socket: nothing in it waits for one. */
export function exchange(sessions: SessionManager<AnyData>, { cookie, sent, handler }: Exchange) {
  return new Promise<Answer>((resolve) => {
    const req = {
      method: 'GET',
      url: '/',
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      headers: cookie === undefined ? {} : { cookie },
    }
    const res = new UnconnectedResponse(req as never)
    res.onEnd = () => {
      const lines = res.getHeader('set-cookie')
      const setCookies = lines === undefined ? [] : Array.isArray(lines) ? lines : [String(lines)]
      const answer = { status: res.statusCode, setCookies }
      sent?.(answer)
      resolve(answer)
    }
    const failed = () => {
      res.statusCode = 500
      res.end()
    }
    sessions(req, res, (error) => {
      if (error !== undefined) failed()
      else handler(req).then(() => res.end(), failed)
    })
  })
}
