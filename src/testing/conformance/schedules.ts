import assert from 'node:assert/strict'
import type { Clock } from '../../core/clock.js'
import type { Draft, Held, Written } from '../../core/keeper.js'
import { StoreKeeper } from '../../core/store-keeper.js'
import { type Concurrent, explore, type Scenario, search } from '../schedule/explore.js'
import { randomOf } from '../schedule/random.js'
import type { Turnstile } from '../schedule/turnstile.js'
import { type ClauseTests, test } from './clause.js'
import type { Trial } from './trial.js'

const HOUR = 60 * 60 * 1000

const ACTIONS = ['set', 'delete', 'touch', 'renew', 'login', 'end'] as const
type Action = (typeof ACTIONS)[number]

/** Each way in which a session can go on or end, against what may be in flight. */
const PAIRS: readonly (readonly [Action, Action])[] = [
  ['set', 'renew'],
  ['delete', 'login'],
  ['set', 'end'],
  ['touch', 'login'],
  ['touch', 'end'],
  ['renew', 'renew'],
  ['renew', 'end'],
  ['login', 'end'],
  ['end', 'end'],
]

/** S24: what the engine does with the store, in every order of its operations. */
export const schedules: readonly ClauseTests[] = [
  {
    clause: 'S24',
    title: 'sessions are what a reference model says, whatever the order of operations',
    tests: [
      test('two requests of two processes, in every order', async (t) => {
        for (const pair of PAIRS) await explore(scenarioOf(t, pair))
      }),
      test('three requests of three processes, in orders drawn from a seed', async (t) => {
        const random = randomOf(24)
        const draw = (): Action => ACTIONS[Math.floor(random() * ACTIONS.length)]!
        for (let seed = 0; seed < 15; seed++) {
          await search(scenarioOf(t, [draw(), draw(), draw()]), { seed, schedules: 1 })
        }
      }),
    ],
  },
]

/** What the engine has been told, and so has told its callers. */
class Told {
  readonly set: string[] = []
  readonly deleted: string[] = []
  readonly refused: string[] = []
  readonly renewed: { readonly held: Held; readonly linked: boolean }[] = []
  hasEnded = false
}

function scenarioOf(t: Trial, actions: readonly Action[]): Scenario {
  return async (turnstile) => {
    const clock = patient(t.subject.clock)
    const preparing = new Process(t, clock)
    const held = await preparing.begin(actions.length)
    turnstile.name(held.identity.handle, 'the session')
    const told = new Told()
    const processes = actions.map(() => new Process(t, clock, turnstile))
    const tasks = actions.map((action, index) => {
      const who = 'ABC'[index]!
      return [who, () => processes[index]!.act(action, who, held, told)] as const
    })
    const check = async () => {
      for (const { background } of processes) await Promise.all(background)
      await preparing.check(held, told)
    }
    return { tasks: Object.fromEntries(tasks), check } satisfies Concurrent
  }
}

/** The engine of one process on the store. */
class Process {
  readonly background: Promise<unknown>[] = []
  readonly #keeper: StoreKeeper
  readonly #clock: Clock

  constructor(t: Trial, clock: Clock, turnstile?: Turnstile) {
    this.#clock = clock
    const { store } = t.subject
    this.#keeper = new StoreKeeper({
      store: turnstile === undefined ? store : turnstile.store(store),
      clock,
      secrets: ['a secret of the conformance suite, long enough'],
      // That users' sessions are bound to a record of the user is of the engine, and not tried here.
      unbound: true,
      lifetime: { idleTimeout: HOUR, absoluteTimeout: null },
      storeTimeout: 10 * HOUR,
      inBackground: (work) => void this.background.push(work.catch(() => {})),
      onError: (error) => {
        throw error
      },
    })
  }

  /** A session with a key for each task to delete. */
  begin(tasks: number): Promise<Held> {
    const data = Object.fromEntries(Array.from({ length: tasks }, (_, i) => [`old${'ABC'[i]}`, 1]))
    return this.#keeper.create(this.#keeper.newIdentity(), this.#draft(data, 'ada'))
  }

  async act(action: Action, who: string, held: Held, told: Told): Promise<void> {
    const keeper = this.#keeper
    switch (action) {
      case 'set': {
        const written = await keeper.change(held, ({ untouched, facts }) =>
          this.#draft({ ...untouched, [`new${who}`]: who }, facts.user),
        )
        return void (written.state === 'stored' ? told.set : told.refused).push(`new${who}`)
      }
      case 'delete': {
        const written = await keeper.change(held, ({ untouched, facts }) => {
          const { [`old${who}`]: _, ...rest } = untouched
          return this.#draft(rest, facts.user)
        })
        return void (written.state === 'stored' && told.deleted.push(`old${who}`))
      }
      case 'touch':
        return void (await keeper.touch(held))
      case 'renew':
        return this.#renew(held, told, undefined)
      case 'login':
        return this.#renew(held, told, `user of ${who}`)
      case 'end':
        await keeper.destroy(held)
        assert.notEqual(
          (await keeper.look(held.identity.handle)).state,
          'live',
          'a logout was lost',
        )
        // Whoever signs in first leaves nothing to the others to end.
        told.hasEnded ||= !told.renewed.some(({ linked }) => !linked)
    }
  }

  async #renew(held: Held, told: Told, user: string | undefined): Promise<void> {
    const linked = user === undefined
    const written: Written = await this.#keeper.renew(
      held,
      this.#keeper.newIdentity(),
      ({ untouched, facts }) => this.#draft(untouched, user ?? facts.user),
      { linked },
    )
    if (written.state !== 'stored') return
    assert.equal(told.renewed.length, 0, 'one session was renewed twice')
    told.renewed.push({ held: written.held, linked })
  }

  async check(first: Held, told: Told): Promise<void> {
    const [renewal] = told.renewed
    const last = renewal?.held ?? first
    if (renewal !== undefined) {
      const old = await this.#keeper.reload(first.identity)
      assert.notEqual(old.state, 'live', 'the id before a renewal still opens a session')
    }
    const opened = await this.#keeper.reload(last.identity)
    if (told.hasEnded) {
      assert.notEqual(opened.state, 'live', 'a session that has ended is back')
      return
    }
    assert.equal(opened.state, 'live', 'a session has gone that nobody ended')
    if (opened.state !== 'live') return
    const { untouched: data, facts } = opened.held
    assert.equal(facts.user, last.facts.user, 'the session has another user')
    for (const key of told.set) assert(key in data, `${key} was stored, and is lost`)
    for (const key of told.refused) assert(!(key in data), `${key} was refused, and is there`)
    for (const key of told.deleted) assert(!(key in data), `${key} was deleted, and is back`)
    await this.#keeper.destroy(opened.held)
  }

  #draft(data: Record<string, unknown>, user: string | undefined): Draft {
    const now = this.#clock.now()
    return {
      facts: { created: now, started: now, idle: HOUR, ...(user !== undefined && { user }) },
      entries: new Map(Object.entries(data).map(([key, value]) => [key, JSON.stringify(value)])),
    }
  }
}

/** Who has lost a race tries again at once: whose turn it is, the schedule decides. */
function patient(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    setTimeout: (run, ms) => clock.setTimeout(run, ms),
    clearTimeout: (timer) => clock.clearTimeout(timer),
    pause: () => Promise.resolve(),
  }
}
