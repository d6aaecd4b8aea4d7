import type { Held } from '../core/keeper.js'
import type { Bearer } from '../http/bearer.js'
import type { HeaderEdit } from '../http/header-view.js'
import type { Carrier } from './carrier.js'

/** Tokens in `Authorization`: the client keeps them itself, and no cookie is ever set or read. */
export class BearerCarrier implements Carrier {
  readonly vary = 'Authorization'
  readonly #bearer: Bearer

  constructor(bearer: Bearer) {
    this.#bearer = bearer
  }

  set(_held: Held, token: string): HeaderEdit | undefined {
    const { header } = this.#bearer
    return header === undefined ? undefined : (headers) => headers.set(header, token)
  }

  clear(): undefined {
    return undefined
  }

  form(): ReturnType<Carrier['form']> {
    return {
      name: 'Authorization',
      attributes: {
        secure: false,
        sameSite: 'lax',
        path: '/',
        domain: undefined,
        partitioned: false,
      },
      problem: undefined,
    }
  }
}
