/** What a fake collection was asked. */
export interface Asked {
  readonly op: string
  readonly args: readonly unknown[]
}

/** A collection without a server: `answer` has what a method gives, or throws what a server says. */
export class FakeCollection {
  readonly asked: Asked[] = []
  answer: (op: string, args: readonly unknown[]) => unknown

  constructor(answer: FakeCollection['answer'] = () => undefined) {
    this.answer = answer
  }

  findOne = (...args: unknown[]) => this.#ask('findOne', args)
  find = (...args: unknown[]) => ({
    toArray: async () => ((await this.#ask('find', args)) ?? []) as readonly unknown[],
  })
  insertOne = (...args: unknown[]) => this.#ask('insertOne', args)
  updateOne = async (...args: unknown[]) => await this.#counted('updateOne', args)
  bulkWrite = async (...args: unknown[]) => await this.#counted('bulkWrite', args)
  replaceOne = async (...args: unknown[]) => await this.#counted('replaceOne', args)
  findOneAndDelete = (...args: unknown[]) => this.#ask('findOneAndDelete', args)
  deleteMany = async (...args: unknown[]) => await this.#counted('deleteMany', args)
  createIndex = (...args: unknown[]) => this.#ask('createIndex', args)

  /** The arguments of each call of a method. */
  argsOf(op: string): (readonly unknown[])[] {
    return this.asked.filter((asked) => asked.op === op).map(({ args }) => args)
  }

  async #ask(op: string, args: readonly unknown[]): Promise<unknown> {
    this.asked.push({ op, args })
    await undefined
    return this.answer(op, args)
  }

  async #counted(op: string, args: readonly unknown[]) {
    const counts = { matchedCount: 1, modifiedCount: 1, deletedCount: 0 }
    return { ...counts, ...((await this.#ask(op, args)) as object | undefined) }
  }
}

/** An error as a server sends one. */
export function serverError(code: number, codeName: string, message = 'a server error'): Error {
  const error = Object.assign(new Error(message), { code, codeName })
  error.name = 'MongoServerError'
  return error
}

/** An error of a driver that has no server. */
export function noServer(name = 'MongoServerSelectionError'): Error {
  const error = new Error('connect ECONNREFUSED 127.0.0.1:27017')
  error.name = name
  return error
}
