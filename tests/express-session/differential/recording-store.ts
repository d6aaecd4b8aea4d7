import { inherits } from 'node:util'
import type { Implementation } from '../implementations.js'
import type { Call } from './account.js'
import type { Fault, StoreShape } from './sequence.js'

type Answer = (error?: unknown, session?: unknown) => void
type Given = readonly unknown[]

/** The parts of a store that belong to no implementation: what it holds, says and writes down. */
export class Recorder {
  readonly calls: Call[] = []
  /** The records, by id; those of a memory store are in itself. */
  readonly texts = new Map<string, string>()
  /** What went wrong in the code behind an answer. */
  readonly thrown: string[] = []
  fault: Fault | undefined
  /** A load comes before the handler, a reload while it waits for one. */
  stage: 'load' | 'handler' | 'reload' = 'load'
  #failed = 0
  #pending = 0
  readonly #shape: StoreShape
  readonly #session: Implementation['session']

  constructor(shape: StoreShape, implementation: Implementation) {
    this.#shape = shape
    this.#session = implementation.session
  }

  get isIdle(): boolean {
    return this.#pending === 0
  }

  /** Before a new exchange. */
  begin(fault: Fault | undefined): void {
    this.calls.length = 0
    this.thrown.length = 0
    this.stage = 'load'
    this.fault = fault
    this.#failed = 0
  }

  /** Writes the call down, and answers as the shape of the store and the fault say. */
  called(name: Call['name'], given: Given, perform: (answer: Answer) => void): void {
    this.calls.push(this.#describe(name, given))
    const last = given[given.length - 1]
    const callback = typeof last === 'function' ? (last as Answer) : undefined
    this.#pending++
    const answer: Answer = (...values) => {
      this.#later(() => {
        this.#pending--
        try {
          callback?.(...values)
        } catch (error) {
          this.thrown.push(`${name} called back, which threw ${String(error)}`)
        }
      })
    }
    const fault = this.#faultFor(name)
    if (fault === undefined) return perform(answer)
    if (fault.kind === 'throws') {
      this.#pending--
      throw new Error(`${name} threw`)
    }
    const error = new Error(`${name} failed`)
    answer(fault.kind === 'ENOENT' ? Object.assign(error, { code: 'ENOENT' }) : error)
  }

  get(id: string, answer: Answer): void {
    const text = this.texts.get(id)
    if (text !== undefined) {
      let session: unknown
      try {
        session = JSON.parse(text)
      } catch (error) {
        return answer(error)
      }
      return answer(null, session)
    }
    if (this.#shape.miss === 'ENOENT') {
      return answer(Object.assign(new Error('no such record'), { code: 'ENOENT' }))
    }
    answer(null, this.#shape.miss === 'null' ? null : undefined)
  }

  set(id: string, session: object, answer: Answer): void {
    this.texts.set(id, JSON.stringify(session))
    answer()
  }

  touch(id: string, session: { cookie: unknown }, answer: Answer): void {
    const text = this.texts.get(id)
    if (text !== undefined && this.#shape.touch === 'rewrites') {
      this.texts.set(id, JSON.stringify({ ...JSON.parse(text), cookie: session.cookie }))
    }
    answer()
  }

  destroy(id: string, answer: Answer): void {
    this.texts.delete(id)
    answer()
  }

  #faultFor(name: Call['name']): Fault | undefined {
    const { fault } = this
    if (fault === undefined || this.#operation(name) !== fault.operation) return undefined
    if (fault.which === 'first' && this.#failed > 0) return undefined
    this.#failed++
    return fault
  }

  #operation(name: Call['name']): Fault['operation'] | undefined {
    if (name !== 'get') return name
    return this.stage === 'handler' ? undefined : this.stage
  }

  #later(run: () => void): void {
    if (this.#shape.answers === 'at once') run()
    else if (this.#shape.answers === 'next tick') process.nextTick(run)
    else setImmediate(() => setImmediate(() => setImmediate(run)))
  }

  #describe(name: Call['name'], given: Given): Call {
    const [id, ...rest] = given
    const call = { name, id: String(id), given: rest.map((value) => this.#kind(value, id)) }
    const [session] = rest
    return name === 'set' || name === 'touch' ? { ...call, text: JSON.stringify(session) } : call
  }

  #kind(value: unknown, id: unknown): string {
    if (typeof value !== 'object' || value === null) return typeof value
    const { Session, Cookie } = this.#session
    const parts: string[] = [value instanceof Session ? 'Session' : 'an object']
    const { cookie, req, ...own } = value as Record<string, unknown>
    parts.push(Object.keys(value).join(' '))
    if (cookie instanceof Cookie) parts.push('with a Cookie')
    if (req !== undefined) parts.push('with its request')
    if ((value as { id?: unknown }).id === id) parts.push('with its id')
    if ('id' in own || 'save' in own) parts.push('with methods that can be copied')
    return parts.join(', ')
  }
}

/** A store built on the `Store` or `MemoryStore` of the implementation, and a hand in it. */
export interface RecordingStore {
  readonly store: { emit(event: string): void }
  readonly recorder: Recorder
  /** Puts a record there, behind everybody's back; without a text takes it away. */
  plant(id: string, text?: string): Promise<void>
  records(): Promise<Record<string, string>>
}

type Method = (this: unknown, ...given: unknown[]) => void

const PARAMETERS = { get: 2, set: 3, touch: 3, destroy: 2 }

export function recordingStore(shape: StoreShape, implementation: Implementation): RecordingStore {
  const { session } = implementation
  const recorder = new Recorder(shape, implementation)
  const isMemory = shape.made.endsWith('memory')
  const base: Record<string, Method> = session.MemoryStore.prototype
  const StoreOfApp = emptyStore(shape, session)
  for (const [name, length] of Object.entries(PARAMETERS) as [Call['name'], number][]) {
    if (shape.made === 'plain memory') break
    if (name === 'touch' && shape.touch === 'none') continue
    const own = isMemory ? base[name] : (recorder[name] as Method)
    const method = function (this: object, ...given: unknown[]) {
      recorder.called(name, given, (answer) => {
        own?.call(isMemory ? this : recorder, ...given.slice(0, length - 1), answer)
      })
    }
    // What says how many parameters it declares is asked for its answer by the callback.
    Object.defineProperty(method, 'length', { value: length })
    StoreOfApp.prototype[name] = method
  }
  const store = new StoreOfApp()
  const call = (name: string, ...given: unknown[]) =>
    new Promise<unknown>((resolve) => {
      base[name]?.call(store, ...given, (_error: unknown, answer: unknown) => resolve(answer))
    })
  return {
    store: store as unknown as { emit(event: string): void },
    recorder,
    async plant(id, text) {
      if (!isMemory && text !== undefined) recorder.texts.set(id, text)
      else if (!isMemory) recorder.texts.delete(id)
      else if (text === undefined) await call('destroy', id)
      else await call('set', id, parsed(text))
    },
    async records() {
      if (!isMemory) return Object.fromEntries(recorder.texts)
      const all = Object.entries((await call('all')) as Record<string, unknown>)
      return Object.fromEntries(all.map(([id, held]) => [id, JSON.stringify(held)]))
    },
  }
}

/** A memory store takes no texts: what is none is a record of another kind. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

type StoreClass = { new (): object; prototype: Record<string, unknown> }

function emptyStore({ made }: StoreShape, session: Implementation['session']): StoreClass {
  if (made === 'plain memory') return session.MemoryStore as StoreClass
  if (made === 'memory') return class extends session.MemoryStore {} as unknown as StoreClass
  if (made === 'class') return class extends session.Store {} as unknown as StoreClass
  function OldStore(this: object) {
    if (made === 'inherits') session.Store.call(this)
  }
  inherits(OldStore, session.Store)
  return OldStore as unknown as StoreClass
}
