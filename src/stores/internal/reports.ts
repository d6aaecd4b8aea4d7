import type { StoreReport } from '../../core/store.js'

type Listener = (report: StoreReport) => void

/** The listeners of one store. */
export class Reports {
  readonly #listeners = new Set<{ listener: Listener }>()

  /** Gives the function that ends the listening. */
  listen(listener: Listener): () => void {
    // The same function may listen twice, and each end is its own.
    const entry = { listener }
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  send(report: StoreReport): void {
    for (const { listener } of this.#listeners) {
      try {
        listener(report)
      } catch {
        // A listener's mistake must not break the operation that met the news, and the store has
        // nowhere to tell it: the report is the telling.
      }
    }
  }
}
