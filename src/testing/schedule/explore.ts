import { createHash } from 'node:crypto'
import type { Awaitable } from '../../core/store.js'
import { ScheduleFailure } from './failure.js'
import { randomOf } from './random.js'
import { Turnstile } from './turnstile.js'

/** Tasks that run at the same time, and what must be true in the end. */
export interface Concurrent {
  /** By name. Each runs until its first step before the next one starts. */
  readonly tasks: Readonly<Record<string, () => Awaitable<unknown>>>
  /** Throws what is wrong after all tasks are through. */
  check(): Awaitable<void>
  /**
   * What the rest of a run depends on, besides what each task has been answered: what is stored, the
   * time, what `check` remembers. If it is given, orders that lead to the same state are followed on
   * once only. It must be left out where tasks share memory of a program.
   */
  state?(): Awaitable<string>
}

/** Prepares a run from scratch. Called once for each schedule; must do the same each time. */
export type Scenario = (turnstile: Turnstile) => Awaitable<Concurrent>

/** How many schedules were run. */
export interface Explored {
  /** How many orders there were, those included that led to a state that had been met. */
  readonly schedules: number
  /** How often the scenario was run for that. */
  readonly runs: number
  /** There are no others. */
  readonly complete: boolean
}

/** Takes one of the options, by its index; undefined: the rest of the run is known. */
type Choose = (options: readonly string[], state: string | undefined) => number | undefined

/** A point where there was something to choose. */
interface Node {
  readonly options: readonly string[]
  readonly state: string | undefined
  taken: number
  readonly counted: { schedules: number }
}

/** One run: what was chosen, what came of it, and the first thing that went wrong. */
interface Outcome {
  readonly choices: readonly string[]
  readonly steps: readonly string[]
  readonly error: unknown
  /** It came to its end, and was not left because its rest is known. */
  readonly isWhole: boolean
}

/** A run that takes more steps than this does not end by itself. */
const MOST_STEPS = 2000

/**
 * Runs a scenario in every order of its steps, depth first, in at most `atMost` runs.
 *
 * ```ts
 * const { schedules, complete } = await explore(async (turnstile) => {
 *   const inner = new MyStore()
 *   const store = turnstile.store(inner)
 *   await inner.create('k', { text: '0', expiresAt: Date.now() + 60_000 })
 *   return {
 *     tasks: { A: () => addOne(store), B: () => addOne(store) },
 *     check: async () => assert.equal((await inner.load('k'))?.text, '2'),
 *   }
 * })
 * ```
 *
 * @throws ScheduleFailure the shortest schedule found that goes wrong, as a list to read and replay
 */
export async function explore(
  scenario: Scenario,
  { atMost = Number.POSITIVE_INFINITY }: { atMost?: number } = {},
): Promise<Explored> {
  const path: Node[] = []
  const known = new Map<string, number>()
  let schedules = 0
  for (let runs = 1; ; runs++) {
    let depth = 0
    const outcome = await run(scenario, (options, state) => {
      const node = path[depth++]
      if (node === undefined) {
        const before = state === undefined ? undefined : known.get(state)
        if (before !== undefined) {
          for (const { counted } of path) counted.schedules += before
          schedules += before
          return undefined
        }
        path.push({ options, state, taken: 0, counted: { schedules: 0 } })
        return 0
      }
      if (node.options.join() !== options.join()) {
        throw new Error(
          `The scenario is not deterministic: after the same ${depth - 1} steps there were ${node.options.join(', ')} and now ${options.join(', ')}.`,
        )
      }
      return node.taken
    })
    if (outcome.error !== undefined) throw await shortest(scenario, outcome)
    if (outcome.isWhole) {
      for (const { counted } of path) counted.schedules++
      schedules++
    }
    for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
      if (last.taken + 1 < last.options.length) break
      if (last.state !== undefined) known.set(last.state, last.counted.schedules)
      path.pop()
    }
    const last = path.at(-1)
    if (last === undefined) return { schedules, runs, complete: true }
    if (runs >= atMost) return { schedules, runs, complete: false }
    last.taken++
  }
}

/**
 * Runs a scenario in `schedules` orders drawn from `seed`: for those that are too long for every
 * order. The same seed draws the same.
 *
 * @throws ScheduleFailure
 */
export async function search(
  scenario: Scenario,
  { seed, schedules }: { seed: number; schedules: number },
): Promise<Explored> {
  const random = randomOf(seed)
  for (let count = 0; count < schedules; count++) {
    const outcome = await run(scenario, (options) => Math.floor(random() * options.length))
    if (outcome.error !== undefined) throw await shortest(scenario, outcome)
  }
  return { schedules, runs: schedules, complete: false }
}

/** Runs one schedule: the `choices` of a {@link ScheduleFailure}. @throws ScheduleFailure */
export async function replay(scenario: Scenario, choices: readonly string[]): Promise<void> {
  const outcome = await run(scenario, following(choices))
  if (outcome.error !== undefined) throw failureOf(outcome, choices)
}

async function run(scenario: Scenario, choose: Choose): Promise<Outcome> {
  const turnstile = new Turnstile()
  const choices: string[] = []
  const steps: string[] = []
  const end = (error?: unknown) => ({ choices, steps, error, isWhole: true })
  const { tasks, check, state } = await scenario(turnstile)
  for (const [name, work] of Object.entries(tasks)) turnstile.start(name, work)
  await turnstile.standstill()
  for (let { options } = turnstile; options.length > 0; { options } = turnstile) {
    if (steps.length === MOST_STEPS) return end(new Error(`not over after ${MOST_STEPS} steps`))
    const shared = state === undefined ? undefined : await state()
    const whole = shared === undefined ? undefined : digest(turnstile, shared)
    const chosen = choose(options, whole)
    if (chosen === undefined) return { choices, steps, error: undefined, isWhole: false }
    choices.push(options[chosen]!)
    steps.push(await turnstile.go(chosen))
    await turnstile.standstill()
  }
  if (turnstile.failures.length > 0) return end(turnstile.failures[0])
  if (turnstile.running.length > 0) {
    return end(new Error(`${turnstile.running.join(' and ')} waited for ever`))
  }
  try {
    await check()
    return end()
  } catch (error) {
    return end(error ?? new Error('the check threw nothing'))
  }
}

function digest(turnstile: Turnstile, shared: string): string {
  const state = `${turnstile.answers}\n${turnstile.named(shared)}`
  return createHash('sha256').update(state).digest('base64url')
}

/** Takes the wanted steps where they can be taken, and else lets the last task go on. */
function following(wanted: readonly string[]): Choose {
  let next = 0
  let last = ''
  return (options) => {
    while (next < wanted.length && !options.includes(wanted[next]!)) next++
    const taken = next < wanted.length ? options.indexOf(wanted[next++]!) : sameTask(options, last)
    last = options[taken]!.split(':')[0]!
    return taken
  }
}

function sameTask(options: readonly string[], task: string): number {
  return Math.max(
    0,
    options.findIndex((option) => option.startsWith(`${task}:`)),
  )
}

/** Leaves out of a failing schedule every choice that it fails without. */
async function shortest(scenario: Scenario, failing: Outcome): Promise<ScheduleFailure> {
  let wanted = failing.choices
  let outcome = failing
  const failsWith = async (choices: readonly string[]) => {
    const tried = await run(scenario, following(choices))
    if (tried.error === undefined) return false
    wanted = choices
    outcome = tried
    return true
  }
  for (let length = 0; length < failing.choices.length; length++) {
    if (await failsWith(failing.choices.slice(0, length))) break
  }
  for (let at = 0; at < wanted.length; ) {
    const fewer = wanted.filter((_, index) => index !== at)
    if (!(await failsWith(fewer))) at++
  }
  return failureOf(outcome, wanted)
}

function failureOf(outcome: Outcome, choices: readonly string[]): ScheduleFailure {
  return new ScheduleFailure(outcome.error, outcome.steps, choices)
}
