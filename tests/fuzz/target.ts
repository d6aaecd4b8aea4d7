import fc from 'fast-check'

/** How much is tried: a number of cases, or what a time allows. */
export interface Limits {
  readonly cases?: number
  readonly seconds?: number
  readonly seed?: number
}

export interface Outcome {
  readonly cases: number
  readonly seed: number
  /** The smallest case that fails, as a text with the seed that leads to it. */
  readonly failure: string | undefined
}

/** One thing that is fuzzed. */
export interface Target {
  readonly name: string
  /** Its part of the cases of a long run, beside the shares of the others. */
  readonly share: number
  run(limits: Limits): Promise<Outcome>
}

/** @param holds throws if `value` shows a defect */
export function target<Value>(
  name: string,
  share: number,
  values: fc.Arbitrary<Value>,
  holds: (value: Value) => void,
): Target {
  return {
    name,
    share,
    run: async (limits) => told(fc.check(fc.property(values, holds), by(limits))),
  }
}

/** The same for what has to wait. */
export function waitingTarget<Value>(
  name: string,
  share: number,
  values: fc.Arbitrary<Value>,
  holds: (value: Value) => Promise<void>,
): Target {
  const property = fc.asyncProperty(values, holds)
  return { name, share, run: async (limits) => told(await fc.check(property, by(limits))) }
}

function by<Values>({ cases, seconds, seed }: Limits): fc.Parameters<Values> {
  return {
    numRuns: cases ?? 2 ** 31 - 1,
    ...(seconds === undefined ? {} : { interruptAfterTimeLimit: seconds * 1000 }),
    markInterruptAsFailure: false,
    ...(seed === undefined ? {} : { seed }),
  }
}

function told<Values>(details: fc.RunDetails<Values>): Outcome {
  const { numRuns, seed, failed, errorInstance } = details
  if (!failed) return { cases: numRuns, seed, failure: undefined }
  const why = errorInstance instanceof Error ? errorInstance.message : String(errorInstance)
  return { cases: numRuns, seed, failure: `${fc.defaultReportMessage(details)}\n${why}` }
}

/** Fails with both texts, which are equal in a case that holds. */
export function same(what: string, found: string, expected: string): void {
  if (found !== expected) throw new Error(`${what}\n  found:    ${found}\n  expected: ${expected}`)
}

const objectNames = Object.getOwnPropertyNames(Object.prototype).sort().join()
const arrayNames = Object.getOwnPropertyNames(Array.prototype).sort().join()

/** Fails if data has found its way into what every object inherits. */
export function nothingPolluted(): void {
  if (
    Object.getOwnPropertyNames(Object.prototype).length !== objectNames.split(',').length ||
    Object.getOwnPropertyNames(Array.prototype).length !== arrayNames.split(',').length
  ) {
    throw new Error('a prototype has a new member')
  }
}
