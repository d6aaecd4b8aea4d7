import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import dropIn from '../../../src/express-session/index.js'
import { type SessionManager, session } from '../../../src/index.js'
import { runProgram, type StoreProgram } from '../../../src/testing/index.js'
import { type StartedProcess, startTypeScript } from '../../support/typescript-process.js'
import type { Address, StoreKind } from './kind.js'

/** Whose `req.session` it is. */
export type Face = 'native' | 'drop-in'

/** What a process of its own does with a store. */
export type Job =
  /** Runs a program of `coatcheck/testing`, and ends with nothing but a closed client. */
  | { readonly type: 'program'; readonly program: StoreProgram }
  /** Answers a request for each of the names, all at once, on one session. */
  | {
      readonly type: 'requests'
      readonly face: Face
      readonly cookie: string
      readonly secret: string
      readonly action: 'set' | 'add' | 'destroy'
      readonly names: readonly string[]
    }

interface Given {
  readonly at: Address
  readonly place?: string
  readonly job: Job
}

/** Starts a process with a store of this kind. */
export function startStore(kind: StoreKind, given: Given): Promise<StartedProcess> {
  const from = (url: string) => JSON.stringify(new URL(url).pathname)
  const source = `
    import { ${kind.exported} as kind } from ${from(kind.module)}
    import { runJob } from ${from(import.meta.url)}
    await runJob(kind, JSON.parse(process.argv[2]))`
  return startTypeScript(source, [JSON.stringify(given)])
}

/** What the process does. Says its answer as a line of JSON. */
export async function runJob(kind: StoreKind, { at, place, job }: Given): Promise<void> {
  const { store, close } = await kind.connect(at, place === undefined ? {} : { place })
  if (job.type === 'program') {
    say(JSON.stringify((await runProgram(store, job.program)) ?? null))
    return close()
  }
  const { face, secret, cookie, action, names } = job
  /** All of all processes have loaded the session before one of them goes on. */
  let here = 0
  let open = () => {}
  const everybody = new Promise<void>((resolve) => {
    open = resolve
  })
  const act = face === 'native' ? native(action) : old(action)
  const sessions =
    face === 'native'
      ? session({ secret, store, storeTimeout: 60_000 })
      : dropIn({ secret, store, storeTimeout: 60_000, resave: false, saveUninitialized: false })
  const server = createServer((req, res) => {
    sessions(req as never, res as never, async (error?: unknown) => {
      try {
        if (error) throw error
        void (req as unknown as { session: { id: string } }).session.id
        if (++here === names.length) say('loaded')
        await everybody
        await act(req, decodeURIComponent(req.url!.slice(1)))
        res.end()
      } catch (failed) {
        const { status, code } = failed as { status?: number; code?: string }
        res.statusCode = status ?? 500
        res.end(code)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  // Two signals, to ask and to go on: all processes do at once.
  say('ready')
  const heard = createInterface(process.stdin)[Symbol.asyncIterator]()
  await heard.next()
  const headers = { cookie }
  const requests = names.map((name) => fetch(`${origin}/${name}`, { headers }))
  await heard.next()
  open()
  const answers = await Promise.all(requests)
  process.stdin.destroy()
  say(JSON.stringify(answers.map(({ status }) => status)))
  server.closeAllConnections()
  server.close()
  await (sessions as SessionManager).close()
  await close()
}

type Act = (req: IncomingMessage, name: string) => unknown

interface AnySession {
  [key: string]: unknown
  update(change: (data: { n?: number }) => void): Promise<void>
  destroy(done?: (error: unknown) => void): Promise<void>
}

const sessionOf = (req: IncomingMessage) => (req as unknown as { session: AnySession }).session

function native(action: 'set' | 'add' | 'destroy'): Act {
  const acts: Record<typeof action, Act> = {
    set(req, name) {
      sessionOf(req)[name] = true
    },
    add: (req) =>
      sessionOf(req).update((data) => {
        data.n = (data.n ?? 0) + 1
      }),
    destroy: (req) => sessionOf(req).destroy(),
  }
  return acts[action]
}

function old(action: 'set' | 'add' | 'destroy'): Act {
  if (action === 'add') throw new Error('Sessions of express-session have no update().')
  return action === 'set'
    ? native('set')
    : (req) =>
        new Promise<void>((resolve, reject) => {
          sessionOf(req).destroy((error) => (error ? reject(error) : resolve()))
        })
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
