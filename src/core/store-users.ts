import type { Clock } from './clock.js'
import type { Held, Opened, Revoking } from './keeper.js'
import type { Records } from './records.js'
import type { SessionEpochs } from './session-epochs.js'
import { type Listing, lookAtAll, revokeAll } from './user-sessions.js'

export interface StoreUsersOptions {
  readonly records: Records
  readonly clock: Clock
  /** For a store whose index may lose keys. */
  readonly epochs: SessionEpochs | undefined
  destroy(held: Held): Promise<Held | undefined>
}

/** What a handle looks like that names a record. */
export const HANDLE = /^[A-Za-z0-9_-]{43}$/

/** Failures inside a commit have this status. */
const COMMIT = 500

/** Sessions in a store, found by their handles and by their users. */
export class StoreUsers {
  readonly #options: StoreUsersOptions

  constructor(options: StoreUsersOptions) {
    this.#options = options
  }

  /** The session of a public name as it is now. */
  async look(handle: string, how?: 'unbound', status?: number): Promise<Opened> {
    if (!HANDLE.test(handle)) return { state: 'gone', handle }
    return this.#options.records.follow({ id: '', handle }, status, how)
  }

  async list(user: string): Promise<Held[]> {
    const { found, failures } = await this.#listing(user, 'list')
    for (const failure of failures) throw failure
    return found
  }

  async revoke(user: string, revoking: Revoking): Promise<number> {
    const { epochs, clock, destroy } = this.#options
    const raised = epochs === undefined ? undefined : await this.#raise(user, epochs, revoking)
    // What has ended by its epoch is still there, and is counted, told of and removed.
    const unbound = epochs === undefined ? undefined : 'unbound'
    return revokeAll({
      ...revoking,
      now: clock.now(),
      list: async () => {
        const { found, failures } = await this.#listing(user, 'revokeUser', unbound)
        return { found: found.filter(({ facts }) => isOlder(facts.epoch, raised)), failures }
      },
      look: (handle) => this.look(handle, unbound),
      destroy,
    })
  }

  /** First of all, and complete, also if nothing else succeeds. */
  async #raise(user: string, epochs: SessionEpochs, revoking: Revoking): Promise<number> {
    const { records } = this.#options
    const spared = new Set(revoking.except)
    for (const [next, present] of revoking.renewing) if (spared.has(present)) spared.add(next)
    for (const handle of revoking.except) {
      const opened = await this.look(handle)
      if (opened.state === 'live') spared.add(opened.held.identity.handle)
    }
    const raise = (still: () => void) => epochs.raise(user, [...spared], still)
    return records.within('revokeUser', raise, COMMIT)
  }

  async #listing(user: string, op: string, unbound?: 'unbound'): Promise<Listing> {
    const { records } = this.#options
    const store = records.byUser(op)
    const keys = await records.within('keysOfUser', async () => store.keysOfUser(user))
    return lookAtAll(keys, user, (handle) => this.look(handle, unbound))
  }
}

/** Whether a session is not of the epoch that has begun: of that one are those who came since. */
function isOlder(noted: number | undefined, raised: number | undefined): boolean {
  return raised === undefined || noted === undefined || noted < raised
}
