import { EventEmitter } from 'node:events'

/** What a fake pool was asked. */
export interface Asked {
  readonly text: string
  readonly values: readonly unknown[]
}

/** A pool of `pg` without a server: `answer` has the rows, or throws what the server says. */
export class FakePool extends EventEmitter {
  readonly asked: Asked[] = []
  answer: (asked: Asked, index: number) => readonly object[]

  constructor(answer: FakePool['answer'] = () => []) {
    super()
    this.answer = answer
  }

  async query(text: string, values: readonly unknown[] = []): Promise<{ rows: readonly object[] }> {
    const asked = { text, values }
    const index = this.asked.push(asked) - 1
    await undefined
    return { rows: this.answer(asked, index) }
  }
}

/** An error as the server sends one. */
export function serverError(code: string, details: object = {}): Error {
  return Object.assign(new Error(`the server says ${code}`), { code, ...details })
}
