/** What a fake pool was asked. */
export interface Asked {
  readonly sql: string
  readonly values: readonly unknown[]
}

/** What the server says: rows, or how many it has met and the mark that it gives back. */
export type Said = readonly unknown[][] | { affectedRows: number; insertId: number }

/** A pool of `mysql2/promise` without a server: `answer` may throw what the server says. */
export class FakePool {
  readonly asked: Asked[] = []
  answer: (asked: Asked, index: number) => Said

  constructor(answer: FakePool['answer'] = () => ({ affectedRows: 1, insertId: 0 })) {
    this.answer = answer
  }

  /** What letters beyond ASCII become on the way to the server. */
  letters = 'C4A2F09F9880'

  getConnection(): void {}

  async execute({ sql }: { sql: string }, values: readonly unknown[] = []): Promise<unknown[]> {
    if (sql.startsWith('SELECT HEX(CONVERT(')) return [[[this.letters, '\u0122\u{1f600}']], []]
    const asked = { sql, values }
    const index = this.asked.push(asked) - 1
    await undefined
    return [this.answer(asked, index), []]
  }
}

/** An error as the server sends one. */
export function serverError(errno: number, details: object = {}): Error {
  return Object.assign(new Error(`the server says ${errno}`), { errno, ...details })
}
