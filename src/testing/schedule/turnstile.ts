import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate } from 'node:timers/promises'
import { type Awaitable, type ByUser, can, type Store } from '../../core/store.js'

/** A step that waits to be let go. */
interface Waiting {
  readonly task: string
  readonly what: string
  go(): Promise<string>
}

/** One for all: each further one would slow down every promise of the process (Node 20). */
const contexts = new AsyncLocalStorage<{ readonly turnstile: Turnstile; readonly task: string }>()

/**
 * Stops tasks before each operation of a store, and lets one operation go at a time. So whoever
 * chooses the next one decides in which order things happen, and the same choices make the same run.
 *
 * A task is known by its asynchronous context: also what it starts and does not wait for is its own.
 * What happens outside of tasks, such as the preparation of a run, is not stopped.
 */
export class Turnstile {
  readonly #order: string[] = []
  readonly #waiting: Waiting[] = []
  readonly #names = new Map<string, string>()
  readonly #counts = new Map<string, number>()
  readonly #answers = new Map<string, string>()
  /** Rises with everything that happens, so that a standstill can be told. */
  #events = 0
  readonly #running = new Set<string>()
  readonly failures: unknown[] = []

  /** The task whose code runs at this moment; undefined: none. */
  get task(): string | undefined {
    const context = contexts.getStore()
    return context?.turnstile === this ? context.task : undefined
  }

  /** The steps that could be next, task by task. */
  get options(): string[] {
    return this.#sorted().map(({ task, what }) => `${task}: ${what}`)
  }

  /** Tasks that have not come to their end. */
  get running(): readonly string[] {
    return [...this.#running]
  }

  /** A store whose operations are steps of the tasks that call them. */
  store(inner: Store): Store & Partial<ByUser> {
    const named = (operation: string, key: string) => `${operation} ${this.name(key)}`
    const stopped: Store & Partial<ByUser> = {
      load: (key) => this.#stop(named('load', key), () => inner.load(key)),
      create: (key, entry) => this.#stop(named('create', key), () => inner.create(key, entry)),
      replace: (key, entry, seen) =>
        this.#stop(named('replace', key), () => inner.replace(key, entry, seen)),
      touch: (key, at) => this.#stop(named('touch', key), () => inner.touch(key, at)),
      destroy: (key) => this.#stop(named('destroy', key), () => inner.destroy(key)),
    }
    if (can(inner, 'keysOfUser')) {
      stopped.keysOfUser = async (user) => this.#stop(`list ${user}`, () => inner.keysOfUser(user))
    }
    return stopped
  }

  /** A step of the calling task that is no operation of a store. */
  async step<T>(what: string, run: () => Awaitable<T>): Promise<T> {
    return this.#stop(what, run)
  }

  /** What a key is called in the list of steps: A1, A2, … if task A was the first to use it. */
  name(key: string, name?: string): string {
    const known = this.#names.get(key)
    if (known !== undefined) return known
    const { task = 'k' } = this
    const count = (this.#counts.get(task) ?? 0) + 1
    this.#counts.set(task, count)
    const given = name ?? `${task}${count}`
    this.#names.set(key, given)
    return given
  }

  /** A text in which keys are called by their names, so that it is the same in every run. */
  named(text: string): string {
    let named = text
    for (const [key, name] of this.#names) named = named.replaceAll(key, name)
    return named
  }

  /** What every task has been answered so far: its own part in the state of a run. */
  get answers(): string {
    return this.named(this.#order.map((task) => `${task}: ${this.#answers.get(task)}`).join('\n'))
  }

  /** Starts a task, which comes to its first step. What it throws is a failure of the run. */
  start(task: string, work: () => Awaitable<unknown>): void {
    this.#order.push(task)
    this.#running.add(task)
    contexts.run({ turnstile: this, task }, async () => {
      try {
        await work()
      } catch (error) {
        this.failures.push(error)
      }
      this.#running.delete(task)
      this.#events++
    })
  }

  /** Lets one of the `options` go, and tells how it came out. */
  async go(option: number): Promise<string> {
    const step = this.#sorted()[option]
    if (step === undefined) throw new RangeError(`There is no step ${option} to let go.`)
    this.#waiting.splice(this.#waiting.indexOf(step), 1)
    const answer = await step.go()
    return `${step.task}: ${step.what}${answer === '' ? '' : ` → ${answer}`}`
  }

  /**
   * Until every task waits for its turn, for another task, or is through. Promises and ticks run out
   * before an immediate does, so nothing is going on after a turn of the event loop without news.
   */
  async standstill(): Promise<void> {
    let before: number
    do {
      before = this.#events
      await setImmediate()
    } while (this.#events !== before)
  }

  #sorted(): Waiting[] {
    const place = ({ task }: Waiting) => this.#order.indexOf(task)
    return [...this.#waiting].sort((a, b) => place(a) - place(b))
  }

  #stop<T>(what: string, run: () => Awaitable<T>): Awaitable<T> {
    const { task } = this
    if (task === undefined) return run()
    return new Promise<T>((resolve, reject) => {
      this.#events++
      const go = async (): Promise<string> => {
        try {
          const answer = await run()
          this.#answered(task, what, JSON.stringify(answer))
          resolve(answer)
          return typeof answer === 'object' ? 'found' : String(answer ?? 'nothing')
        } catch (error) {
          this.#answered(task, what, String(error))
          reject(error)
          return 'failed'
        }
      }
      this.#waiting.push({ task, what, go })
    })
  }

  #answered(task: string, what: string, answer: string | undefined): void {
    this.#answers.set(task, `${this.#answers.get(task) ?? ''}; ${what} ${answer}`)
  }
}
