/** A schedule that goes wrong: the steps as a list, and the choices that lead there again. */
export class ScheduleFailure extends Error {
  override readonly name = 'ScheduleFailure'
  /** Every step in its order, with what came of it. */
  readonly steps: readonly string[]
  /** For `replay`: the steps that had to be chosen. After them, whoever runs goes on. */
  readonly choices: readonly string[]

  constructor(cause: unknown, steps: readonly string[], choices: readonly string[]) {
    const what = cause instanceof Error ? cause.message : String(cause)
    const list = steps.map((step, index) => `  ${String(index + 1).padStart(2)}. ${step}`)
    super(`${what}\n${list.join('\n')}\n  replay with the choices ${JSON.stringify(choices)}`, {
      cause,
    })
    this.steps = steps
    this.choices = choices
  }
}
