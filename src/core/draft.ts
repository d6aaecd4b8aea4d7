import { applied, type Changes, plainAfter } from './changes.js'
import type { Draft, Held } from './keeper.js'
import { idleToNote, type LifetimeSettings } from './lifetime.js'
import type { Data, Facts } from './record.js'
import { type UserOf, whoIs } from './user.js'

/** What a write makes of a record besides putting the changes onto its data. */
export interface DraftOptions {
  readonly changes: Changes
  /** Which keys of the stored data go on; undefined: all. */
  readonly kept: ((key: string) => boolean) | undefined
  /** The session's own lifetime after this write. */
  readonly own: number | undefined
  /** Login, logout, switch, re-authentication: both clocks start again. */
  readonly restart: boolean
  /** The cookie is sent with this write. */
  readonly sent: boolean
  readonly lifetime: LifetimeSettings
  readonly userOf: UserOf | undefined
  readonly now: number
}

/** The next record of a session, made from the newest one; undefined: there is none yet. */
export function draftOf(latest: Held | undefined, options: DraftOptions): Draft {
  const { changes, kept, own, restart, sent, lifetime, userOf, now } = options
  const data = keep(latest?.untouched ?? {}, kept)
  const entries = applied(data, changes)
  const { user, signedIn } = whoIs(plainAfter(data, changes), userOf)
  const before = latest?.facts
  const starts = restart || before === undefined
  const provenNow = starts && (user !== undefined || signedIn) ? now : undefined
  const authenticated = starts ? provenNow : before.authenticated
  const idle = idleToNote(own, lifetime)
  const issued = sent && lifetime.absoluteTimeout === null
  const untold = !sent && (before?.untold === true || (before !== undefined && before.own !== own))
  const facts: Facts = {
    created: before?.created ?? now,
    started: starts ? now : before.started,
    ...(authenticated === undefined ? {} : { authenticated }),
    idle,
    ...(own === undefined ? {} : { own }),
    ...(user === undefined ? {} : { user }),
    ...(issued ? { issued: now } : before?.issued === undefined ? {} : { issued: before.issued }),
    ...(untold ? { untold } : {}),
    ...(idle === null ? { seen: now } : {}),
  }
  return { facts, entries }
}

function keep(data: Data, kept: ((key: string) => boolean) | undefined): Data {
  if (kept === undefined) return data
  return Object.fromEntries(Object.entries(data).filter(([key]) => kept(key)))
}
