import type { Keeper, Opened } from './keeper.js'
import { isObject } from './old-records.js'
import { adopted, type TakenSettings, takenDraft, toBeSent } from './taken.js'

export interface PairTakeoverOptions extends TakenSettings {
  readonly keeper: Keeper
}

/**
 * Takes sessions of cookie-session over.
 *
 * Their cookies have no ids: visitors with the same data have the same cookie, to the byte. So each
 * time there is a new session under a new id, and nothing could note that a cookie was taken.
 */
export class PairTakeover {
  readonly #options: PairTakeoverOptions

  constructor(options: PairTakeoverOptions) {
    this.#options = options
  }

  /**
   * undefined: there is nothing in it.
   * @param text the session as JSON, out of a cookie that was authenticated
   */
  async open(text: string): Promise<Opened | undefined> {
    const { keeper } = this.#options
    const identity = keeper.newIdentity()
    const data = parsed(text)
    if (data !== undefined && Object.keys(data).length === 0) return undefined
    const draft = data && takenDraft({ data, life: undefined }, this.#options)
    const { handle } = identity
    const made = draft && (await adopted(keeper, identity, draft))
    if (draft === undefined || made === 'unreadable') {
      return { state: 'corrupt', handle, reason: 'unreadable' }
    }
    if (made === undefined) return { state: 'gone', handle }
    return { state: 'live', held: toBeSent(made) }
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const data: unknown = JSON.parse(text)
    return isObject(data) ? data : undefined
  } catch {
    return undefined
  }
}
