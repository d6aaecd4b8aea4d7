/** Where a command writes: what was asked for, and everything else. */
export interface Terminal {
  out(line: string): void
  err(line: string): void
}

/** One word behind `coatcheck`. */
export interface Command {
  /** What it does, in a line of the help. */
  readonly summary: string
  /**
   * @param args what stands behind its name
   * @throws UsageError for arguments that it does not take
   */
  run(args: readonly string[], terminal: Terminal): Promise<void>
}

/** What was typed cannot be done: told in one line, with exit code 2. */
export class UsageError extends Error {}
