/** What an element of a {@link RecencyList} carries for it. */
export interface Links<T> {
  older: T | undefined
  newer: T | undefined
}

/**
 * Elements in order of their last use, linked through themselves.
 *
 * A `Map` keeps an order too, but V8 leaves a hole for each deleted key and `keys().next()` walks
 * over the holes at the front, so taking the oldest again and again is not constant time there.
 */
export class RecencyList<T extends Links<T>> {
  #oldest: T | undefined
  #newest: T | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get oldest(): T | undefined {
    return this.#oldest
  }

  /** Puts a new element at the newest end. */
  add(item: T): void {
    item.older = this.#newest
    item.newer = undefined
    if (this.#newest === undefined) this.#oldest = item
    else this.#newest.newer = item
    this.#newest = item
    this.#size += 1
  }

  remove(item: T): void {
    this.#size -= 1
    if (item.older === undefined) this.#oldest = item.newer
    else item.older.newer = item.newer
    if (item.newer === undefined) this.#newest = item.older
    else item.newer.older = item.older
    item.older = undefined
    item.newer = undefined
  }

  /** Moves an element of this list to the newest end. */
  use(item: T): void {
    if (item === this.#newest) return
    this.remove(item)
    this.add(item)
  }
}
