/** Work that nobody may be waiting for, until somebody asks whether all of it is done. */
export class Background {
  readonly #running = new Set<Promise<unknown>>()

  /** Remembers work while it runs. Gives it back. */
  add<T>(work: Promise<T>): Promise<T> {
    const done = work.then(
      () => void this.#running.delete(done),
      () => void this.#running.delete(done),
    )
    this.#running.add(done)
    return work
  }

  /** Waits for what is still running, and for what that starts. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running])
  }
}
