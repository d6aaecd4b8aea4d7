import { CookieClient } from '../../src/testing/index.js'

/** Somebody at the example's pages: fills in forms the way a browser sends them. */
export class Visitor {
  readonly client: CookieClient

  constructor(origin: string, client = new CookieClient(origin)) {
    this.client = client
  }

  async page(path: string): Promise<string> {
    const response = await this.client.get(path)
    return response.text()
  }

  /** The status of a page, to see whether it is shown or sends somewhere else. */
  async status(path: string): Promise<number> {
    const response = await this.client.get(path)
    return response.status
  }

  /** The token in the forms of a page. */
  async token(path: string): Promise<string> {
    const token = /name="_csrf" value="([^"]+)"/.exec(await this.page(path))?.[1]
    if (token === undefined) throw new Error(`There is no form on ${path}.`)
    return token
  }

  /** Submits a form. Fields that are undefined are left out. */
  submit(
    path: string,
    fields: Record<string, string | undefined>,
    headers: Record<string, string> = {},
  ) {
    const body = new URLSearchParams()
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) body.append(name, value)
    }
    return this.client.request(path, { method: 'POST', body, headers })
  }

  async signIn(login = 'ada', password = 'bernoulli-numbers', headers?: Record<string, string>) {
    const _csrf = await this.token('/session/new')
    return this.submit('/session', { _csrf, login, password }, headers)
  }

  async signOut() {
    return this.submit('/session', { _csrf: await this.token('/'), _method: 'DELETE' })
  }

  async views(): Promise<number> {
    return Number(/data-testid="views">(\d+)</.exec(await this.page('/'))?.[1])
  }
}
