import { decodeRecord } from '../../src/core/record.js'
import type { Store } from '../../src/core/store.js'
import { StoreKeeper } from '../../src/core/store-keeper.js'
import { keyOf } from '../../src/crypto/session-id.js'
import { MemoryStore, type SessionManager, session } from '../../src/index.js'
import { FakeClock, type Scenario, type Turnstile } from '../../src/testing/index.js'
import { type AnyData, SECRET } from '../support/serve.js'
import { act, type OutsideAction, type Program, type RequestAction, START } from './actions.js'
import { type Answer, exchange } from './exchange.js'
import { Reference } from './reference.js'

const OLD_SECRET = 'the secret before that one, of 32 bytes too'
const IDLE = 3_600_000

/** What is stored before the response asks for it. */
const SAVING: readonly RequestAction[] = ['save', 'update']

export interface Setting {
  /** What A, B and C do. */
  readonly programs: readonly Program[]
  /** All in one process, or each in one of its own. */
  readonly processes: 'one' | 'each'
  /** Puts a defect between the engine and the store. */
  readonly broken?: (store: Store) => Store
}

/** A race for losers would only make runs longer: their next step waits for its turn anyway. */
class PatientClock extends FakeClock {
  pause(): Promise<void> {
    return Promise.resolve()
  }
}

/** The real middleware over a memory store, and what must be true of it in the end. */
export function scenarioOf({ programs, processes, broken }: Setting): Scenario {
  return async (turnstile) => {
    const clock = new PatientClock()
    const inner = new MemoryStore({ clock })
    const run = new Run(turnstile, clock, inner, (broken ?? ((store) => store))(inner))
    await run.prepare(programs.some(([first]) => first === 'expire'))
    const shared = processes === 'one' ? run.process() : undefined
    const tasks: Record<string, () => Promise<unknown>> = {}
    for (const [index, program] of programs.entries()) {
      const who = 'ABC'[index]!
      const sessions = shared ?? run.process()
      tasks[who] = () => run.task(who, sessions, program)
    }
    const check = () => run.check()
    // Requests of one process share its memory.
    if (processes === 'one') return { tasks, check }
    return { tasks, check, state: () => run.state() }
  }
}

class Run {
  readonly #turnstile: Turnstile
  readonly #clock: FakeClock
  readonly #inner: MemoryStore
  readonly #store: Store
  readonly #reference = new Reference()
  readonly #managers: SessionManager<AnyData>[] = []
  /** Somebody was told that the session has ended. */
  #hasEnded = false
  readonly #errors: string[] = []
  #first = ''
  #token = ''

  constructor(turnstile: Turnstile, clock: FakeClock, inner: MemoryStore, store: Store) {
    this.#turnstile = turnstile
    this.#clock = clock
    this.#inner = inner
    this.#store = store
  }

  /** A visitor with a session, and a moment later everybody at once. */
  async prepare(isEnding: boolean): Promise<void> {
    const { setCookies } = await exchange(this.#manager(this.#inner), {
      handler: async (req) => {
        const { session: made } = req as { session: AnyData & { id: string } }
        Object.assign(made, START)
        this.#first = made.id
      },
    })
    this.#token = tokenIn(setCookies)!
    this.#turnstile.name(this.#first, 'the session')
    this.#reference.begin(this.#first, START)
    if (isEnding) this.#clock.set(this.#clock.now() + IDLE - 1)
  }

  /** The sessions of one process, stopped before each step. */
  process(): SessionManager<AnyData> {
    const sessions = this.#manager(this.#turnstile.store(this.#store))
    const reference = this.#reference
    const who = () => this.#turnstile.task ?? 'nobody'
    sessions.on('create', ({ id }) => reference.created(who(), id))
    sessions.on('commit', ({ id }) => reference.committed(who(), id))
    sessions.on('renew', ({ id, from, reason }) =>
      reference.renewed(who(), from, id, reason === 'regenerate' || reason === 'authenticated'),
    )
    sessions.on('destroy', ({ id }) => reference.ended(who(), id))
    sessions.on('stale-write', ({ id }) => reference.dropped(who(), id ?? ''))
    sessions.on('error', ({ error }) => void this.#errors.push(`${who()} failed: ${error}`))
    return sessions
  }

  async task(who: string, sessions: SessionManager<AnyData>, program: Program): Promise<void> {
    const [first] = program
    if (first === 'expire') return this.#turnstile.step('time passes', () => this.#expire())
    if (first === 'revoke') {
      await sessions.revoke(this.#first)
      this.#mustHaveEnded(who, first)
    } else if (first === 'revoke-user') {
      await sessions.revokeUser('ada')
      this.#mustHaveEnded(who, first)
    } else await this.#request(who, sessions, program as readonly RequestAction[])
    await sessions.settled()
  }

  async #request(
    who: string,
    sessions: SessionManager<AnyData>,
    program: readonly RequestAction[],
  ): Promise<void> {
    const token = program.includes('rotated') ? this.#signedBefore() : this.#token
    const answer = await exchange(sessions, {
      cookie: `sid=${token}`,
      sent: (sent) => this.#checkCookies(who, sent, program),
      handler: async (req) => {
        const info = sessions.of(req)
        const handling = {
          who,
          reference: this.#reference,
          session: () => info.session,
          authenticated: () => info.authenticated(),
          cameLive: !info.session.isNew,
        }
        for (const action of program) await act(action, handling)
      },
    })
    if (answer.status !== 200) this.#errors.push(`${who} was answered ${answer.status}`)
    if (program.includes('destroy')) this.#mustHaveEnded(who, 'destroy')
  }

  async check(): Promise<void> {
    for (const sessions of this.#managers) await sessions.settled()
    if (this.#hasEnded && this.#reference.goesOn(this.#first)) {
      this.#errors.push('the session goes on although somebody was told that it has ended')
    }
    const wrong = [...this.#errors, ...this.#reference.verdict(), ...(await this.#compare())]
    if (wrong.length > 0) throw new Error([...new Set(wrong)].join('; '))
  }

  async state(): Promise<string> {
    const stored: string[] = []
    for await (const entry of this.#inner.entries()) stored.push(JSON.stringify(entry))
    const shared = [
      this.#clock.now(),
      stored.sort(),
      this.#reference.state(),
      this.#errors,
      this.#hasEnded,
    ]
    return JSON.stringify(shared)
  }

  /** What is stored and what the first cookie opens, against the reference. */
  async #compare(): Promise<string[]> {
    const wrong: string[] = []
    const expected = new Map<string, unknown>()
    for (const [handle, { live, data }] of this.#reference.sessions) {
      if (live) expected.set(handle, data)
    }
    const name = (handle: string) => this.#turnstile.name(handle)
    for await (const { key, text } of this.#inner.entries()) {
      const decoded = decodeRecord(text)
      if (decoded.kind !== 'record') continue
      const data = expected.get(key)
      if (data === undefined) wrong.push(`${name(key)} is live and must not be`)
      else if (!same(data, decoded.record.data)) {
        const found = JSON.stringify(decoded.record.data)
        wrong.push(`${name(key)} holds ${found} and not ${JSON.stringify(data)}`)
      }
      expected.delete(key)
    }
    for (const handle of expected.keys()) wrong.push(`${name(handle)} is not there any more`)
    let seen: unknown
    await exchange(this.#manager(this.#inner), {
      cookie: `sid=${this.#token}`,
      handler: async (req) => {
        seen = { ...(req as { session: AnyData }).session }
      },
    })
    const first = this.#reference.sessions.get(this.#first)
    if (!same(seen, first?.live === true ? first.data : {})) {
      wrong.push(`the first cookie opens ${JSON.stringify(seen)}`)
    }
    return wrong
  }

  /** At the moment a response leaves. */
  #checkCookies(who: string, { setCookies }: Answer, program: readonly RequestAction[]): void {
    if (setCookies.length > 1) this.#errors.push(`${who} was sent several cookies`)
    const token = tokenIn(setCookies)
    // A regenerate() that leaves nothing to store is an end, too.
    const mayEnd = program.includes('destroy') || program.includes('regenerate')
    if (token === '' && !mayEnd) {
      this.#errors.push(`${who} was sent the end of a cookie without a logout`)
    }
    if (token === undefined || token === '') return
    const handle = keyOf(token.split('.')[0]!)
    const stored = this.#inner.load(handle)
    const isLive = stored !== undefined && decodeRecord(stored.text).kind === 'record'
    // A new id that the handler has had stored a moment before may be revoked in that moment.
    const mayHaveEnded = handle !== this.#first && program.some((one) => SAVING.includes(one))
    if (!isLive && !mayHaveEnded) {
      this.#errors.push(`${who} was sent a cookie of a session that had ended`)
    }
    if (handle === this.#first && !program.includes('rotated')) {
      this.#errors.push(`${who} was sent the cookie that it came with`)
    }
  }

  #mustHaveEnded(who: string, what: OutsideAction | 'destroy'): void {
    const stored = this.#inner.load(this.#first)
    if (stored !== undefined && decodeRecord(stored.text).kind === 'record') {
      this.#errors.push(`the session is there although ${what} of ${who} has answered`)
    }
    this.#hasEnded = true
  }

  #expire(): void {
    const { sessions } = this.#reference
    this.#clock.set(this.#clock.now() + 1)
    for (const [handle, known] of sessions) {
      if (known.live && this.#inner.load(handle) === undefined) this.#reference.expired(handle)
    }
  }

  /** The same session's cookie, as it was before the secret was changed. */
  #signedBefore(): string {
    const id = this.#token.split('.')[0]!
    const keeper = new StoreKeeper({
      store: this.#inner,
      clock: this.#clock,
      secrets: [OLD_SECRET],
      lifetime: { idleTimeout: IDLE, absoluteTimeout: null },
      storeTimeout: 1,
      inBackground: () => {},
      onError: () => {},
    })
    return keeper.token({ identity: { id, handle: this.#first } }, 'sid')
  }

  #manager(store: Store): SessionManager<AnyData> {
    const sessions = session<AnyData>({
      secret: [SECRET, OLD_SECRET],
      store,
      clock: this.#clock,
      idleTimeout: IDLE,
    })
    this.#managers.push(sessions)
    return sessions
  }
}

function tokenIn(setCookies: readonly string[]): string | undefined {
  return setCookies
    .map((line) => /^sid=([^;]*)/.exec(line)?.[1])
    .find((token) => token !== undefined)
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
}

function sorted(value: unknown): unknown {
  return Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1))
}
