import { expect, onTestFinished } from 'vitest'
import { systemClock } from '../../../../src/core/clock.js'
import { type SessionManager, session } from '../../../../src/index.js'
import { dropIn } from '../../../express-session/implementations.js'
import { idOf, oldApp } from '../../../express-session/old-stores/app.js'
import { cookieFor } from '../../../express-session/program.js'
import { exchange } from '../../../model/exchange.js'
import { type AnyData, SECRET } from '../../../support/serve.js'
import type { StoreKind } from '../kind.js'
import { type Face, type Job, startStore } from '../store-process.js'
import { freshPlace, type Subject, type SuiteTest, suite } from './suite.js'

type Work = Pick<Extract<Job, { type: 'requests' }>, 'action' | 'names'>

const range = (count: number, name: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => name(index))

const setting = (process: string): Work => ({
  action: 'set',
  names: range(50, (index) => `${process}k${index}`),
})

/** Four processes with 50 parallel requests each, on one session. */
export const processTests: readonly SuiteTest[] = [
  {
    name: 'four processes keep every key that a request of theirs has set',
    async run(subject) {
      const { data, together } = await visitor(subject)
      const jobs = range(4, (process) => `p${process}`).map(setting)
      expect(await together(jobs)).toEqual(Array(200).fill(200))
      const expected = ['userId', ...jobs.flatMap(({ names }) => names)]
      expect(Object.keys(await data()).toSorted()).toEqual(expected.toSorted())
    },
  },
  {
    name: 'four processes count exactly by update()',
    async run(subject) {
      const { data, together } = await visitor(subject)
      const jobs = range(4, String).map(() => ({
        action: 'add' as const,
        names: range(50, String),
      }))
      expect(await together(jobs)).toEqual(Array(200).fill(200))
      expect(await data()).toEqual({ userId: 'ada', n: 200 })
    },
  },
  {
    name: 'what one process has signed out, three others do not bring back',
    async run(subject) {
      const { data, together } = await visitor(subject)
      const jobs: Work[] = [
        ...['a', 'b', 'c'].map(setting),
        { action: 'destroy', names: ['logout'] },
      ]
      expect(await together(jobs)).toEqual(Array(151).fill(200))
      // Who came after the end has begun a session of its own, which this id does not open.
      expect(await data()).toEqual({})
    },
  },
  {
    name: 'two processes with the drop-in keep every key that a request of theirs has set',
    async run(subject) {
      const { data, together } = await oldVisitor(subject)
      const jobs = ['a', 'b'].map(setting)
      expect(await together(jobs)).toEqual(Array(100).fill(200))
      const expected = ['user', ...jobs.flatMap(({ names }) => names)]
      expect(Object.keys(await data()).toSorted()).toEqual(expected.toSorted())
    },
  },
  {
    name: 'what one process with the drop-in has signed out, two others do not bring back',
    async run(subject) {
      const { data, together } = await oldVisitor(subject)
      const jobs: Work[] = [...['a', 'b'].map(setting), { action: 'destroy', names: ['logout'] }]
      expect(await together(jobs)).toEqual(Array(101).fill(200))
      expect(await data()).toEqual({})
    },
  },
]

export function storeProcesses(kind: StoreKind): void {
  suite('several processes on one session', kind, processTests)
}

/** Runs the work in a process each, all at the same moment, and gives the statuses of its requests. */
async function inProcesses(
  { kind, server }: Subject,
  place: string,
  face: Face,
  cookie: string,
  jobs: readonly Work[],
): Promise<number[]> {
  const processes = await Promise.all(
    jobs.map(async (work) => {
      const job: Job = { type: 'requests', face, cookie, secret: SECRET, ...work }
      const started = await startStore(kind, { at: server, place, job })
      onTestFinished(() => void started.child.kill('SIGKILL'))
      return started
    }),
  )
  for (const said of ['ready', 'loaded']) {
    for (const { line } of processes) expect(await line()).toBe(said)
    for (const { tell } of processes) tell('go on')
  }
  const answers = await Promise.all(
    processes.map(async ({ line }) => JSON.parse(await line()) as number[]),
  )
  return answers.flat()
}

/** A signed-in session of `session()`, and what it holds later. */
async function visitor(subject: Subject) {
  const place = freshPlace()
  const { store, close } = await subject.kind.connect(subject.server, { place })
  onTestFinished(close)
  const sessions: SessionManager<AnyData> = session<AnyData>({
    secret: SECRET,
    store,
    clock: systemClock,
  })
  onTestFinished(() => sessions.close())
  const cookie = `sid=${await sessions.issue({ userId: 'ada' })}`
  return {
    together: (jobs: readonly Work[]) => inProcesses(subject, place, 'native', cookie, jobs),
    async data() {
      let shown: AnyData = {}
      const handler = async (req: Parameters<typeof sessions.of>[0]) => {
        shown = { ...sessions.of(req).session }
      }
      await exchange(sessions, { cookie, handler })
      return shown
    },
  }
}

/** The same of the drop-in. */
async function oldVisitor(subject: Subject) {
  const place = freshPlace()
  const { store, close } = await subject.kind.connect(subject.server, { place })
  onTestFinished(close)
  const app = await oldApp(dropIn, store)
  const ada = app.browser()
  await ada.get('/login/ada')
  const cookie = cookieFor(idOf(ada))
  return {
    together: (jobs: readonly Work[]) => inProcesses(subject, place, 'drop-in', cookie, jobs),
    data: async () => (await app.browser().get('/', { headers: { cookie } })).json<object>(),
  }
}
