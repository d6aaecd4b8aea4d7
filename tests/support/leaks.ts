import { inspect } from 'node:util'

const ID = 32
/** Shorter data says nothing: it may stand in any text by chance. */
const TELLING = 16
/** Data of long runs is not kept for ever. */
const MOST_DATA = 200

/** What must never show in an event, an error or a log, and the search for it. */
export class Leaks {
  readonly #secrets: readonly string[]
  readonly #ids = new Set<string>()
  readonly #data = new Set<string>()

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets
  }

  addId(id: string): void {
    this.#ids.add(id)
  }

  /** Every telling string in a value. */
  addData(value: unknown): void {
    if (typeof value === 'string' && value.length >= TELLING) {
      if (this.#data.size === MOST_DATA) this.#data.clear()
      this.#data.add(value)
    } else if (typeof value === 'object' && value !== null) {
      for (const member of Object.values(value)) this.addData(member)
    }
  }

  /** What of it shows in a text, by kind. */
  in(text: string): string[] {
    const found = this.#secrets.some((secret) => text.includes(secret)) ? ['a secret'] : []
    // Whole ids: a handle is a run of the same letters, and longer.
    for (const [run] of text.matchAll(/[\w-]{32,}/g)) {
      for (let at = 0; at + ID <= run.length; at++) {
        if (this.#ids.has(run.slice(at, at + ID))) found.push('an id')
      }
    }
    for (const data of this.#data) if (text.includes(data)) found.push('data')
    return found
  }

  /** What of it shows when a value is printed with everything that hangs on it. */
  inside(value: unknown): string[] {
    return this.in(inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true }))
  }
}
