import type { Implementation } from './implementations.js'

type Done = (error?: unknown, value?: unknown) => void

export type Operation = 'get' | 'set' | 'touch' | 'destroy'

/** How an operation is done, and how its caller is told. */
export type Way = (work: () => unknown, done: Done) => unknown

export interface HandStore {
  /** `get <id>`, in order. */
  readonly calls: string[]
  /** The names of the calls since the last look. */
  taken(): string[]
  /** The texts of the sessions, by id. */
  readonly kept: Map<string, string>
  /** How each operation is done; without an entry, properly and in the next turn. */
  readonly ways: { [operation in Operation]?: Way | undefined }
  on(event: string, listener: () => void): unknown
  emit(event: string): boolean
}

export interface HandStoreOptions {
  /** Its touch writes the whole session, as those of files and Memcached do. */
  readonly touchWritesAll?: boolean
  readonly withoutTouch?: boolean
}

export const failing: Way = (_work, done) => void setImmediate(() => done(new Error('lost')))

export const silent: Way = () => {}

/** Does it, and tells so, when the test says so. */
export function held(): { way: Way; reached: Promise<void>; answer: (error?: Error) => void } {
  let reach = () => {}
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  let finish: (error?: Error) => void = () => {}
  const way: Way = (work, done) => {
    finish = (error) => (error ? done(error) : done(null, work()))
    reach()
  }
  return { way, reached, answer: (error) => finish(error) }
}

/** A store made for the middleware of a test, whose answers the test gives. */
export function handStore(
  { session }: Implementation,
  { touchWritesAll = false, withoutTouch = false }: HandStoreOptions = {},
): HandStore {
  class Store extends session.Store {
    readonly calls: string[] = []
    readonly kept = new Map<string, string>()
    readonly ways: HandStore['ways'] = {}
    #seen = 0

    taken(): string[] {
      const names = this.calls.slice(this.#seen).map((call) => call.split(' ', 1)[0]!)
      this.#seen = this.calls.length
      return names
    }

    get(id: string, done: Done): unknown {
      return this.#do('get', id, done, () => {
        const text = this.kept.get(id)
        return text === undefined ? undefined : JSON.parse(text)
      })
    }

    set(id: string, value: object, done?: Done): unknown {
      const text = JSON.stringify(value)
      return this.#do('set', id, done, () => void this.kept.set(id, text))
    }

    touch(id: string, value: object, done?: Done): unknown {
      const text = JSON.stringify(value)
      return this.#do('touch', id, done, () => {
        if (touchWritesAll) this.kept.set(id, text)
      })
    }

    destroy(id: string, done?: Done): unknown {
      return this.#do('destroy', id, done, () => void this.kept.delete(id))
    }

    #do(operation: Operation, id: string, done: Done | undefined, work: () => unknown): unknown {
      this.calls.push(`${operation} ${id}`)
      const way = this.ways[operation] ?? inTurn
      return way(work, done ?? (() => {}))
    }
  }
  const store = new Store()
  if (withoutTouch) Object.assign(store, { touch: undefined })
  return store as unknown as HandStore
}

const inTurn: Way = (work, done) => {
  const value = work()
  setImmediate(() => done(null, value))
}
