// npm run test:fuzz: ten million cases on two cores, or FUZZ_CASES; FUZZ_SEED repeats a run, and
// FUZZ_TARGET names one target. Prints a table, and ends with 1 if a case failed.
import { type ChildProcess, execFile, fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Outcome } from './target.js'
import { targets } from './targets.js'
import type { Job } from './worker.js'

const WORKERS = 2
/** Small enough that both workers end together, large enough that starting one costs nothing. */
const CHUNK = 50_000
/** Cases of the response hold go over sockets, three exchanges each. */
const HOLD_TEST = 'tests/scale/fuzz-hold.test.ts'

const total = Number(process.env.FUZZ_CASES ?? 10_000_000)
const holdRuns = Number(process.env.FUZZ_HOLD_CASES ?? Math.min(20_000, Math.ceil(total / 500)))
const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31))
const only = process.env.FUZZ_TARGET
const chosen = targets.filter(({ name }) => only === undefined || name === only)
const shares = chosen.reduce((sum, { share }) => sum + share, 0)

interface Row {
  cases: number
  seconds: number
  readonly failures: string[]
}

const rows = new Map<string, Row>()
const jobs: Job[] = []
for (const { name, share } of chosen) {
  rows.set(name, { cases: 0, seconds: 0, failures: [] })
  let left = Math.ceil((total * share) / shares)
  for (let chunk = 0; left > 0; chunk++) {
    jobs.push({ target: name, cases: Math.min(left, CHUNK), seed: (seed + chunk) | 0 })
    left -= CHUNK
  }
}

function note(target: string, cases: number, began: number, failure: string | undefined): void {
  const row = rows.get(target)!
  row.cases += cases
  row.seconds += (performance.now() - began) / 1000
  if (failure !== undefined) row.failures.push(failure)
}

/** One process that takes job after job; a target that has failed is not tried again. */
async function work(): Promise<void> {
  const worker: ChildProcess = fork(new URL('./worker.js', import.meta.url))
  const exited = once(worker, 'exit')
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    if (rows.get(job.target)!.failures.length > 0) continue
    const began = performance.now()
    worker.send(job)
    const [message] = await Promise.race([once(worker, 'message'), exited])
    if (typeof message !== 'object') {
      note(job.target, 0, began, `the process has ended, with seed ${job.seed}`)
      return work()
    }
    const { cases, failure } = message as Outcome
    note(job.target, cases, began, failure)
  }
  worker.disconnect()
}

/** The hold is a test of its own, with plain Node as the model. */
function holdResponses(): Promise<void> {
  // The working folder is that of the repository: scripts/run-typescript.mjs sees to it.
  const vitest = resolve('node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', '--project', 'scale', HOLD_TEST, '--reporter=json']
  const env = { ...process.env, FUZZ_HOLD_CASES: String(holdRuns) }
  const began = performance.now()
  rows.set('held responses', { cases: 0, seconds: 0, failures: [] })
  return new Promise((done) => {
    execFile(process.execPath, args, { env, maxBuffer: 1 << 28 }, (error, out) => {
      const failure = error === null ? undefined : `${out.slice(0, 20_000)}`
      note('held responses', failure === undefined ? holdRuns : 0, began, failure)
      done()
    })
  })
}

const began = performance.now()
console.log(`${total} cases, seed ${seed}, Node ${process.version}`)
const second = only === undefined && holdRuns > 0 ? holdResponses().then(work) : work()
await Promise.all([second, ...Array.from({ length: WORKERS - 1 }, work)])

console.table(
  Object.fromEntries(
    [...rows].map(([name, { cases, seconds, failures }]) => [
      name,
      { cases, seconds: Math.round(seconds), failures: failures.length },
    ]),
  ),
)
const all = [...rows.values()]
const cases = all.reduce((sum, row) => sum + row.cases, 0)
const failures = all.flatMap((row) => row.failures)
const minutes = ((performance.now() - began) / 60_000).toFixed(1)
console.log(`${cases} cases in ${minutes} minutes, ${failures.length} failures`)
for (const failure of failures) console.error(`\n${failure}`)
process.exitCode = failures.length > 0 ? 1 : 0
