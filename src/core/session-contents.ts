import type { Changes } from './changes.js'
import type { Data } from './record.js'
import { RESERVED, type SessionObject } from './session.js'

/** Keys in which two sets of changes differ. */
export function differing(a: Changes, b: Changes): (key: string) => boolean {
  return (key) => a.set.get(key) !== b.set.get(key) || a.deleted.has(key) !== b.deleted.has(key)
}

/** A session object seen as the data it holds. */
export function data(session: SessionObject): Data {
  return session as unknown as Data
}

export function empty(session: SessionObject): void {
  for (const key of Object.keys(session)) Reflect.deleteProperty(session, key)
}

/** Not an assignment: that would throw where a program has frozen its session. */
export function set(session: SessionObject, key: string, value: unknown): void {
  Reflect.set(session, key, value)
}

/** Own enumerable properties only. A key that is a member's name stays in the record, unseen. */
export function fill(session: SessionObject, from: Data, wanted?: (key: string) => boolean): void {
  for (const key of Object.keys(from)) {
    if (RESERVED.has(key) || (wanted !== undefined && !wanted(key))) continue
    set(session, key, from[key])
  }
}
