import type { SessionModule } from './old-store.js'

type Done = (error?: unknown, value?: unknown) => void
type Operation = 'get' | 'set' | 'touch' | 'destroy'

/** How a store does what it is asked to, and how it says so. */
export type Manner = (work: () => unknown, done: Done) => unknown

/** A store that does as a test tells it. The callbacks of `set` and `destroy` may be missing. */
export interface WilfulStore {
  readonly calls: Operation[]
  readonly kept: Map<string, string>
  /** How each operation is done; without an entry, properly. */
  readonly manners: { [operation in Operation]?: Manner | undefined }
}

export const properly: Manner = (work, done) => {
  const value = work()
  setImmediate(() => done(null, value))
}

/** Whoever asks gets to know both: what has been found, and that something has failed. */
export const twice: Manner = (work, done) => {
  done(null, work())
  done(new Error('the second answer'))
}

/** The driver of a database that calls back once more when its connection ends. */
export const twiceLater: Manner = (work, done) => {
  done(null, work())
  setImmediate(() => done(new Error('the second answer')))
}

export const throwing: Manner = () => {
  throw new Error('thrown')
}

export const throwingAfterwards: Manner = (work, done) => {
  done(null, work())
  throw new Error('thrown after the answer')
}

export const rejecting: Manner = () => Promise.reject(new Error('rejected'))

export const rejectingAfterwards: Manner = async (work, done) => {
  done(null, work())
  throw new Error('rejected after the answer')
}

export const failing: Manner = (_work, done) => void setImmediate(() => done(new Error('lost')))

/** Answers only when it is told to; what it does, it does then. */
export function held(): { manner: Manner; asked: Promise<void>; answer: () => void } {
  let reach = () => {}
  const asked = new Promise<void>((resolve) => {
    reach = resolve
  })
  let finish = () => {}
  const manner: Manner = (work, done) => {
    finish = () => done(null, work())
    reach()
  }
  return { manner, asked, answer: () => finish() }
}

export function wilfulStore(session: SessionModule): WilfulStore {
  class Store extends session.Store {
    readonly calls: Operation[] = []
    readonly kept = new Map<string, string>()
    readonly manners: WilfulStore['manners'] = {}

    get(id: string, done: Done): unknown {
      return this.#do('get', done, () => {
        const text = this.kept.get(id)
        return text && JSON.parse(text)
      })
    }

    set(id: string, value: object, done?: Done): unknown {
      // As drivers do, which send it at once.
      const text = JSON.stringify(value)
      return this.#do('set', done, () => void this.kept.set(id, text))
    }

    touch(_id: string, _value: object, done?: Done): unknown {
      return this.#do('touch', done, () => {})
    }

    destroy(id: string, done?: Done): unknown {
      return this.#do('destroy', done, () => void this.kept.delete(id))
    }

    #do(operation: Operation, done: Done | undefined, work: () => unknown): unknown {
      this.calls.push(operation)
      return (this.manners[operation] ?? properly)(work, done ?? (() => {}))
    }
  }
  return new Store()
}
