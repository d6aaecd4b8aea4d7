import type { Clock } from '../../core/clock.js'
import type { Awaitable, Store } from '../../core/store.js'
import type { StoreProgram } from './programs.js'

/** The clauses of the store contract. Some have no test in this suite yet. */
export type Clause =
  | 'S1'
  | 'S2'
  | 'S3'
  | 'S4'
  | 'S5'
  | 'S6'
  | 'S7'
  | 'S8'
  | 'S9'
  | 'S10'
  | 'S11'
  | 'S12'
  | 'S13'
  | 'S14'
  | 'S15'
  | 'S16'
  | 'S17'
  | 'S18'
  | 'S19'
  | 'S20'
  | 'S21'
  | 'S22'
  | 'S23'
  | 'S24'

/** What a store may lack: a capability of its class. */
export type OptionalCapability = 'sweep' | 'entries' | 'keysOfUser'

/** What a harness may lack: a member of {@link StoreUnderTest}. */
export type OptionalHook =
  | 'another'
  | 'elsewhere'
  | 'plant'
  | 'trips'
  | 'processes'
  | 'outage'
  | 'blackHole'
  | 'exits'
  | 'skewed'
  | 'predecessor'

/** How the suite gets at the store of an author: what to open, and what cannot be had. */
export interface StoreHarness {
  /** Gives a fresh, empty place with a store on it. Called once for each test. */
  open(): Awaitable<StoreUnderTest>

  /**
   * What the store or this harness lacks, each with the reason. The tests that need it become skips
   * that show the reason. Something that is lacking and not named here fails its tests, so nothing
   * is left out in silence.
   */
  lacks?: Readonly<Partial<Record<OptionalCapability | OptionalHook, string>>>

  /** Clauses that do not apply, each with the reason, shown as skips. */
  skips?: Readonly<Partial<Record<Clause, string>>>

  /** The finest step in ms of the store's expiry: 1000 for whole seconds. @default 1 */
  unit?: number

  /**
   * By how many ms `expiresAt` of a load may be off, for a backend that tells how long a record
   * still has instead of when it ends. @default 0
   */
  drift?: number

  /**
   * `advance` really waits, because the server keeps the time. Lives are then short, the moments
   * just before and after an expiry have a margin, and 30 days are not waited out. @default false
   */
  realTime?: boolean

  /**
   * The largest text in bytes that the store must take. A larger one may be refused, with
   * `ERR_RECORD_TOO_LARGE`. @default 102,400
   */
  maxText?: number

  /**
   * The time in ms of the machine that one operation may take before its test fails. Keep it below
   * the limit that your runner has for a test, so that the message names the operation.
   * @default 4000
   */
  limit?: number

  /**
   * How long in ms of the machine the tests of outages wait for an operation before they take it as
   * unanswered. A client that queues commands while it has no connection costs them this long.
   * @default 250
   */
  patience?: number
}

/** One open store, with the means to look at it from outside. */
export interface StoreUnderTest {
  readonly store: Store

  /**
   * What "now" is for this store. With a `FakeClock` the whole suite takes seconds. A store that
   * waits by its clock, for a lock say, needs one whose `now` is fake and whose timers are real:
   * nobody moves the time while an operation runs.
   */
  readonly clock: Clock

  /** Lets `ms` pass: moves the fake clock, or waits. */
  advance(ms: number): Awaitable<void>

  /** A second store on the same place, as another process would have it. */
  another?(): Awaitable<Store>

  /**
   * A store on the same backend under another prefix, table or folder. A name that is a pattern for
   * the first one finds the most: `s*:` beside `sess:`. One prefix must not begin with the other,
   * which nothing can isolate.
   */
  elsewhere?(): Awaitable<Store>

  /**
   * Puts `garbage` in the place of the record of `key`, past the store, as a bug or a stranger
   * would. Gives false when the backend cannot hold it.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: most authors give nothing back
  plant?(key: string, garbage: string): Awaitable<boolean | void>

  /**
   * How often an operation of `store` has waited for the backend so far. What is sent together is
   * waited for once.
   */
  trips?(): number

  /**
   * Runs each program in a process of its own, all at the same time, and gives their results in
   * order. The script of such a process opens a store on the same place, hands it to `runProgram`
   * together with the program, which survives `JSON.stringify`, and sends back the result.
   */
  processes?(programs: readonly StoreProgram[]): Promise<unknown[]>

  /**
   * Takes the backend away and gives it back: what worked is refused. A proxy that drops its
   * connections and accepts no new ones, or a folder that cannot be opened. Begins also before the
   * first use of the store, and several times.
   */
  outage?: Interruption

  /**
   * Lets the backend fall silent: connections stay, new ones are accepted, and nothing is answered
   * until the end. What was sent meanwhile may arrive then, or be lost.
   */
  blackHole?: Interruption & {
    /** After how many ms of the machine the store itself gives up. Absent: it leaves that to the engine. */
    readonly limit?: number
  }

  /**
   * Runs a process that opens a store on the same place, runs the program on it by `runProgram`, and
   * then has nothing more to do: it closes the client that it has made for the store, if there is
   * one, leaves the store as it is, and does not call `process.exit`. Gives its exit code, or null
   * if it had to be killed after some seconds.
   */
  exits?(program: StoreProgram): Promise<number | null>

  /** A second store on the same place, on a machine whose clock is `ms` ahead; below 0: behind. */
  skewed?(ms: number): Awaitable<Store>

  /** The package that this store replaces, on the same place. */
  predecessor?: Predecessor

  /** Clears up after a test, whether it passed or not. */
  dispose?(): Awaitable<void>
}

/** Something that begins and ends while a store is open. */
export interface Interruption {
  begin(): Awaitable<void>
  /** Resolves when the backend can be reached again; the store may take a moment longer. */
  end(): Awaitable<void>
}

/** Another package whose records a store reads, so that a program can change to it and back. */
export interface Predecessor {
  /** In what forms it may have left its records: `plain`, `encrypted`, those of older versions. */
  readonly forms: readonly string[]
  /** Has the package keep `text`, a session as JSON, until `expiresAt`. */
  write(form: string, key: string, text: string, expiresAt: number): Awaitable<void>
  /**
   * What the package reads under `key`, as JSON; undefined for a miss. Absent: it is not promised
   * that it reads what this store writes.
   */
  read?(key: string): Awaitable<string | undefined>
}

/** What the suite needs of a test runner: Vitest, node:test, Mocha and Jest fit as they are. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown
  it: TestFunction & { readonly skip?: TestFunction }
  /** How to show a test that is left out. @default `it.skip`, with the reason in the title */
  skip?(name: string, reason: string): unknown
}

type TestFunction = (name: string, body: () => Promise<void>) => unknown
