import type { Session } from './session.js'

/** What a session holds besides its cookie: the JSON text of each key. */
export type Entries = ReadonlyMap<string, string>

export const NO_ENTRIES: Entries = new Map()

/** @throws what `JSON.stringify` throws, for BigInt and cycles */
export function entriesOf(session: object): Entries {
  const entries = new Map<string, string>()
  for (const key of Object.keys(session)) {
    if (key === 'cookie') continue
    const json = JSON.stringify((session as Record<string, unknown>)[key])
    if (json !== undefined) entries.set(key, json)
  }
  return entries
}

/** Whether two states have the same keys with the same values in the same order. */
export function sameEntries(a: Entries, b: Entries): boolean {
  if (a === b) return true
  if (a.size !== b.size) return false
  const others = b.entries()
  for (const [key, json] of a) {
    const other = others.next().value
    if (other?.[0] !== key || other[1] !== json) return false
  }
  return true
}

/** Whether a session holds what it held at another time. */
export function holdsSame(session: object, entries: Entries): boolean {
  return sameEntries(entriesOf(session), entries)
}

/**
 * Puts onto `session` what others have changed since `base`, key by key. What both have changed
 * stays as it is here, and is named in the answer.
 */
export function mergeInto(
  session: Session,
  base: Entries,
  stored: object,
  theirs: Entries,
): string[] {
  // Nobody else has written: the usual case.
  if (sameEntries(base, theirs)) return []
  const mine = entriesOf(session)
  const conflicts: string[] = []
  for (const key of new Set([...base.keys(), ...theirs.keys()])) {
    const before = base.get(key)
    const other = theirs.get(key)
    const own = mine.get(key)
    if (other === before || other === own) continue
    if (own !== before) conflicts.push(key)
    else if (other === undefined) Reflect.deleteProperty(session, key)
    // As when it was loaded: a key of this name would hide a method.
    else if (Object.hasOwn(session, key) || !(key in session)) {
      Reflect.set(session, key, (stored as Record<string, unknown>)[key])
    }
  }
  return conflicts
}
