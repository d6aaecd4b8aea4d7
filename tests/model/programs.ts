import { type Explored, explore, ScheduleFailure, search } from '../../src/testing/index.js'
import { randomOf } from '../../src/testing/schedule/random.js'
import { OUTSIDE_ACTIONS, type Program, REQUEST_ACTIONS } from './actions.js'
import { type Setting, scenarioOf } from './scenario.js'

type Programs = readonly Program[]

/** Each thing that can be done, as a program of its own. */
const SINGLE: Programs = [
  ...REQUEST_ACTIONS.map((action) => [action] as const),
  ...OUTSIDE_ACTIONS.map((action) => [action] as const),
]

/** Every way in which `count` tasks can each do one thing. */
export function combinations(count: number, from = 0): Programs[] {
  if (count === 0) return [[]]
  return SINGLE.slice(from).flatMap((first, index) =>
    combinations(count - 1, from + index).map((rest) => [first, ...rest]),
  )
}

export interface Counted extends Explored {
  readonly programs: number
  /** Programs that have more orders than were tried. */
  readonly cutOff: number
}

/** Runs each of `all` in every order, at most `atMost` runs each, and counts. */
export async function exploreAll(
  all: readonly Programs[],
  setting: Omit<Setting, 'programs'>,
  atMost?: number,
): Promise<Counted> {
  const limit = atMost === undefined ? {} : { atMost }
  let counted: Counted = { programs: 0, cutOff: 0, schedules: 0, runs: 0, complete: true }
  for (const programs of all) {
    const scenario = scenarioOf({ ...setting, programs })
    const found = await explore(scenario, limit).catch((error) => fail(programs, error))
    counted = {
      programs: counted.programs + 1,
      cutOff: counted.cutOff + (found.complete ? 0 : 1),
      schedules: counted.schedules + found.schedules,
      runs: counted.runs + found.runs,
      complete: counted.complete && found.complete,
    }
  }
  return counted
}

/** Draws `count` times what two or three tasks do, up to three things each, and `orders` of it. */
export async function searchPrograms(
  seed: number,
  count: number,
  orders: number,
  setting: Omit<Setting, 'programs'>,
): Promise<number> {
  const random = randomOf(seed)
  let schedules = 0
  for (let drawn = 0; drawn < count; drawn++) {
    const programs = Array.from({ length: random() < 0.3 ? 2 : 3 }, () => drawProgram(random))
    const drawing = { seed: seed + drawn, schedules: orders }
    const fails = (fewer: Programs) =>
      failureOf(search(scenarioOf({ ...setting, programs: fewer }), drawing))
    const failure = await fails(programs)
    if (failure !== undefined) {
      const smallest = await shrink(programs, failure, fails)
      throw fail(smallest.programs, smallest.failure)
    }
    schedules += orders
  }
  return schedules
}

function drawProgram(random: () => number): Program {
  const draw = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  if (random() < 0.2) return [draw(OUTSIDE_ACTIONS)]
  return Array.from({ length: 1 + Math.floor(random() * 3) }, () => draw(REQUEST_ACTIONS))
}

/** Leaves out every task and every action that it goes wrong without. */
async function shrink(
  programs: Programs,
  failure: ScheduleFailure,
  fails: (fewer: Programs) => Promise<ScheduleFailure | undefined>,
): Promise<{ programs: Programs; failure: ScheduleFailure }> {
  for (const fewer of smaller(programs)) {
    const found = await fails(fewer)
    if (found !== undefined) return shrink(fewer, found, fails)
  }
  return { programs, failure }
}

function smaller(programs: Programs): Programs[] {
  const without = programs.map((_, left) => programs.filter((_one, index) => index !== left))
  const shortened = programs.flatMap((program, at) =>
    program.length === 1
      ? []
      : program.map((_, left) => {
          const shorter = program.filter((_one, index) => index !== left) as unknown as Program
          return programs.map((one, index) => (index === at ? shorter : one))
        }),
  )
  return [...without, ...shortened].filter(({ length }) => length > 0)
}

async function failureOf(work: Promise<unknown>): Promise<ScheduleFailure | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof ScheduleFailure) return error
    throw error
  }
}

function fail(programs: Programs, error: unknown): never {
  if (error instanceof Error) {
    const done = programs.map((program, index) => `${'ABC'[index]}: ${program.join(', ')}`)
    error.message = `${done.join(' | ')}\n${error.message}`
  }
  throw error
}
