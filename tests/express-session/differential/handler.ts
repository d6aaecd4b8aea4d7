import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Implementation } from '../implementations.js'
import type { Recorder } from './recording-store.js'
import { type Exchange, type Step, VALUES } from './sequence.js'

type Callback = (error?: unknown) => void

/** The cookie of a session, as handlers use it. */
interface OldCookie {
  [attribute: string]: unknown
}

/** A session, as handlers use it: the data and the methods that the old package has. */
export interface OldSession {
  [key: string]: unknown
  readonly id: string
  readonly cookie: OldCookie
  touch(): unknown
  resetMaxAge(): unknown
  save(callback?: Callback): unknown
  reload(callback: Callback): unknown
  regenerate(callback: Callback): unknown
  destroy(callback?: Callback): unknown
}

export interface OldRequest extends IncomingMessage {
  session?: OldSession | null | undefined
  sessionID?: string
}

export interface Visit {
  readonly req: OldRequest
  readonly res: ServerResponse
  readonly exchange: Exchange
  readonly recorder: Recorder
  readonly implementation: Implementation
  readonly saw: unknown[]
  readonly first: OldSession | null | undefined
  /** What a handler does with an error: hands it to `next`. */
  readonly fail: (error: unknown) => void
  /** Assigns as code of the application does: the place of a deprecation is in it. */
  readonly assign: (target: object, name: string, value: unknown) => void
}

/** Does the steps one after the other, as a handler with `await` does. */
export async function runSteps(visit: Visit, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    const { session } = visit.req
    if (step.do === 'set a cookie of the app') {
      visit.res.appendHeader('Set-Cookie', 'theme=dark; Path=/')
    } else if (step.do === 'wait') {
      await new Promise((resolve) => setImmediate(resolve))
    } else if (step.do === 'on the first session') {
      if (visit.first) visit.first[step.key] = VALUES[step.value]()
    } else if (session === undefined || session === null) {
      visit.saw.push(`no session: ${String(session)}`)
    } else {
      try {
        await runStep(visit, session, step)
      } catch (error) {
        visit.saw.push(`${step.do} threw ${String(error)}`)
      }
    }
  }
}

/** What can be seen of the session. */
export function look({ req, implementation: { session: face } }: Visit): unknown {
  const { session } = req
  if (session === undefined || session === null) return `session ${String(session)}`
  const members: string[] = []
  for (const name in session) members.push(name)
  return {
    keys: Object.keys(session),
    members,
    text: JSON.stringify(session),
    id: session.id,
    isIdOfRequest: session.id === req.sessionID,
    isRequest: session.req === req,
    isSession: session instanceof face.Session,
    isCookie: session.cookie instanceof face.Cookie,
    maxAge: session.cookie.maxAge,
    expires: session.cookie.expires,
    cookieKeys: Object.keys(session.cookie),
  }
}

async function runStep(visit: Visit, session: OldSession, step: Step): Promise<void> {
  const { req, saw, assign } = visit
  switch (step.do) {
    case 'set':
      session[step.key] = VALUES[step.value]()
      break
    case 'delete':
      delete session[step.key]
      break
    case 'count':
      session.views = ((session.views as number | undefined) ?? 0) + 1
      break
    case 'push': {
      const nested = (session.nested ?? {}) as { list?: number[] }
      if (typeof nested !== 'object') break
      nested.list = Array.isArray(nested.list) ? nested.list : []
      nested.list.push(nested.list.length)
      session.nested = nested
      break
    }
    case 'set the same again':
      for (const key of dataOf(session)) session[key] = structuredClone(session[key])
      break
    case 'reorder':
      for (const key of dataOf(session).reverse()) {
        const value = session[key]
        delete session[key]
        session[key] = value
      }
      break
    case 'read':
      saw.push(look(visit))
      break
    case 'touch':
    case 'resetMaxAge':
      saw.push([step.do, session[step.do]() === session])
      break
    case 'save':
    case 'regenerate':
    case 'destroy': {
      const method = session[step.do] as (callback: Callback) => unknown
      const answer = await answered((callback) => method.call(session, callback))
      saw.push([step.do, answer, shown(req)])
      break
    }
    case 'reload': {
      visit.recorder.stage = 'reload'
      const answer = await answered((callback) => session.reload(callback))
      visit.recorder.stage = 'handler'
      saw.push(['reload', answer, look(visit), req.session === session])
      break
    }
    case 'save, no callback':
      session.save()
      break
    case 'destroy, no callback':
      session.destroy()
      break
    case 'null':
      req.session = null
      break
    case 'undefined':
      req.session = undefined
      break
    case 'remove':
      delete req.session
      break
    case 'cookie.expires':
      session.cookie.expires =
        typeof step.value === 'number' ? new Date(Date.now() + step.value) : step.value
      break
    case 'cookie.maxAge':
      assign(session.cookie, 'maxAge', step.value === 'a date' ? new Date(4e12) : step.value)
      break
    case 'cookie.originalMaxAge':
    case 'cookie.secure':
    case 'cookie.httpOnly':
    case 'cookie.sameSite':
    case 'cookie.path':
      assign(session.cookie, step.do.slice('cookie.'.length), step.value)
      break
  }
}

function dataOf(session: OldSession): string[] {
  return Object.keys(session).filter((key) => key !== 'cookie')
}

function shown({ session, sessionID }: OldRequest): unknown {
  return [session === undefined ? 'undefined' : Object.keys(session ?? {}), sessionID]
}

/** What a callback is told; an answer that never comes is one too. */
function answered(call: (callback: Callback) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    try {
      call((error) => resolve(error ? `error: ${messageOf(error)}` : 'no error'))
    } catch (error) {
      reject(error)
    }
  })
}

export function messageOf(error: unknown): string {
  const { name, message, code } = error as { name?: string; message?: string; code?: string }
  return [name, message, code].filter((part) => part !== undefined).join(': ')
}
