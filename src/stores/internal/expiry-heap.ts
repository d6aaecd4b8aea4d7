/** What an element of an {@link ExpiryHeap} carries for it. */
export interface Expiring {
  /** Never NaN: it has no place in an order. */
  expiresAt: number
  /** The position in the heap, kept by the heap. */
  at: number
}

/** A binary heap of what expires first, which can also move and remove an element in its middle. */
export class ExpiryHeap<T extends Expiring> {
  readonly #items: T[] = []

  /** The element that expires first. */
  get first(): T | undefined {
    return this.#items[0]
  }

  add(item: T): void {
    item.at = this.#items.length
    this.#items.push(item)
    this.#rise(item)
  }

  remove(item: T): void {
    const last = this.#items.pop()
    if (last === undefined || last === item) return
    this.#put(last, item.at)
    this.moved(last)
  }

  /** To be called after an element's `expiresAt` has changed. */
  moved(item: T): void {
    this.#rise(item)
    this.#sink(item)
  }

  #put(item: T, at: number): void {
    this.#items[at] = item
    item.at = at
  }

  #rise(item: T): void {
    let at = item.at
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = this.#items[parentAt]
      if (parent === undefined || parent.expiresAt <= item.expiresAt) break
      this.#put(parent, at)
      at = parentAt
    }
    this.#put(item, at)
  }

  #sink(item: T): void {
    let at = item.at
    for (;;) {
      const leftAt = 2 * at + 1
      const left = this.#items[leftAt]
      if (left === undefined) break
      const right = this.#items[leftAt + 1]
      const child = right !== undefined && right.expiresAt < left.expiresAt ? right : left
      if (child.expiresAt >= item.expiresAt) break
      const childAt = child.at
      this.#put(child, at)
      at = childAt
    }
    this.#put(item, at)
  }
}
