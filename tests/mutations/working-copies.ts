import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { root } from '../support/docs.js'
import type { Mutation } from './mutation.js'

const NOT_COPIED = new Set(['node_modules', '.git'])

/** How long a test without its protection may hang before that counts as red. */
const HANGS = 120_000

/** Copies of the repository in which sources can be broken, a few at a time. */
export class WorkingCopies {
  readonly #folder = mkdtempSync(join(tmpdir(), 'coatcheck-mutations-'))
  readonly #free: string[] = []
  readonly #waiting: ((copy: string) => void)[] = []

  constructor(count: number) {
    for (let i = 0; i < count; i++) {
      const copy = join(this.#folder, `${i}`)
      cpSync(root, copy, {
        recursive: true,
        filter: (path) => !NOT_COPIED.has(relative(root, path).split(sep)[0] ?? ''),
      })
      symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
      this.#free.push(copy)
    }
  }

  /** What the test of a mutation says while the protection is out. */
  async outcome(mutation: Mutation): Promise<'red' | 'green' | string> {
    const copy = await this.#take()
    const path = join(copy, mutation.file)
    const whole = readFileSync(path, 'utf8')
    try {
      writeFileSync(
        path,
        whole.replace(mutation.find, () => mutation.put),
      )
      return await run(copy, mutation)
    } finally {
      writeFileSync(path, whole)
      this.#give(copy)
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true })
  }

  async #take(): Promise<string> {
    return this.#free.pop() ?? new Promise((resolve) => this.#waiting.push(resolve))
  }

  #give(copy: string): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(copy)
    else next(copy)
  }
}

function run(copy: string, { test, named }: Mutation): Promise<string> {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', test, '--reporter=json', '--bail=1', '--testTimeout=10000']
  if (named !== undefined) args.push('-t', named.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd: copy, timeout: HANGS, maxBuffer: 1 << 28 },
      (error, out) => {
        if (error?.killed) return resolve('red')
        const start = out.indexOf('{')
        if (start === -1) return resolve(`no result: ${error?.message ?? ''}`)
        const result: { numFailedTests: number; numPassedTests: number; testResults: unknown[] } =
          JSON.parse(out.slice(start, out.lastIndexOf('}') + 1))
        if (result.numFailedTests > 0) return resolve('red')
        if (result.numPassedTests === 0) return resolve('no test ran')
        // An unhandled rejection fails the run, and no test.
        resolve(error === null ? 'green' : 'red')
      },
    )
  })
}
