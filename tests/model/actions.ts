import { hasCode } from '../../src/errors.js'
import type { Session } from '../../src/index.js'
import type { AnyData } from '../support/serve.js'
import type { Reference } from './reference.js'

/** What a request does besides reading its session. */
export const REQUEST_ACTIONS = [
  'read',
  'set',
  'share',
  'delete',
  'update',
  'save',
  'login',
  'regenerate',
  'prove',
  'touch',
  'reload',
  'destroy',
  'rotated',
] as const
/** What happens to the session without a request of its own. */
export const OUTSIDE_ACTIONS = ['revoke', 'revoke-user', 'expire'] as const

export type RequestAction = (typeof REQUEST_ACTIONS)[number]
export type OutsideAction = (typeof OUTSIDE_ACTIONS)[number]
/** Done one after the other by one request, or the one thing somebody outside does. */
export type Program = readonly RequestAction[] | readonly [OutsideAction]

export interface Handling {
  readonly who: string
  readonly reference: Reference
  /** The present session of the request. */
  session(): Session<AnyData>
  authenticated(): Promise<void>
  /** The request came with a session that was live. */
  readonly cameLive: boolean
}

/** What the session of every run starts with: a key for each task to delete, and shared ones. */
export const START = { userId: 'ada', n: 0, shared: 'start', dA: 1, dB: 1, dC: 1 }

export async function act(action: RequestAction, handling: Handling): Promise<void> {
  const { who, reference } = handling
  const session = handling.session()
  switch (action) {
    case 'read':
    case 'rotated':
      return
    case 'set':
      if (session[`k${who}`] === who) return
      session[`k${who}`] = who
      return reference.changes(who, (data) => {
        data[`k${who}`] = who
      })
    case 'share':
      if (session.shared === who) return
      session.shared = who
      return reference.changes(who, (data) => {
        data.shared = who
      })
    case 'delete':
      if (!(`d${who}` in session)) return
      delete session[`d${who}`]
      return reference.changes(who, (data) => {
        delete data[`d${who}`]
      })
    case 'update':
      reference.changes(who, addOne)
      return untilGone(session.update(addOne), () => reference.told(who))
    case 'save':
      // An empty new session is stored too, and one without changes is not stored again.
      return untilGone(session.save(), () => reference.told(who))
    case 'login':
      if (session.userId === who) return
      session.userId = who
      return reference.changes(who, (data) => {
        data.userId = who
      })
    case 'regenerate':
      if (!session.isNew) reference.changes(who)
      else if (handling.cameLive) reference.leavesBehind(who)
      return session.regenerate({ keep: true })
    case 'prove':
      if (!session.isNew) reference.changes(who)
      return handling.authenticated()
    case 'touch':
      return session.touch()
    case 'reload':
      // What this request has set is dropped, unless there is nothing to show in its place.
      return untilGone(session.reload().then(() => reference.forget(who)))
    case 'destroy':
      reference.forget(who)
      return session.destroy()
  }
}

function addOne(data: Partial<AnyData>): void {
  data.n = ((data.n as number | undefined) ?? 0) + 1
}

/** A call that tells its caller if the session has ended; then nothing is stored. */
async function untilGone(call: Promise<unknown>, gone = () => {}): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!hasCode(error, 'ERR_GONE')) throw error
    gone()
  }
}
