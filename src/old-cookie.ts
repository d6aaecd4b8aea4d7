import type { Awaitable } from './core/store.js'
import { toBeSent } from './core/taken.js'
import type { ExpressSessionSettings, FromSettings } from './from-option.js'
import type { RequestLike } from './http/secure-request.js'
import {
  type CookieAttributes,
  cookieHeader,
  cookieValues,
  type ReceivedToken,
} from './http/session-cookie.js'
import type { Manager } from './manager.js'
import { MOST_VALUES, oldPairs, pairTexts } from './old-pair.js'
import { type Found, NOTHING_FOUND, openAll } from './open-tokens.js'

/** A visitor with more cookies of one name than this has too many. */
const MOST_TRIED = 4

const USUAL_PLACE = { path: '/', domain: undefined, secure: false, partitioned: false }

/**
 * What a request leads to: by its tokens, or else by a cookie of express-session or cookie-session,
 * whose session is then taken over. A synchronous store costs no wait.
 */
export function openRequest<Data extends object>(
  manager: Manager<Data>,
  req: RequestLike,
  tokens: readonly ReceivedToken[],
  attributes: CookieAttributes,
): Awaitable<Found> {
  const { from } = manager.settings
  const found =
    tokens.length === 0 ? NOTHING_FOUND : openAll(manager, tokens, manager.audience(attributes))
  const header = from === undefined ? undefined : cookieHeader(req)
  if (from === undefined || header === undefined) return found
  const old = oldPairs(header, from.cookieSession)
  if (isLive(found)) return withoutPairs(found as Found, old)
  const { expressSession } = from
  const isOld = expressSession !== undefined && valuesIn(header, expressSession.name).length > 0
  return isOld || old.length > 0 ? openOldCookies(manager, header, found, { ...from, old }) : found
}

/** What nothing can end but its deletion goes at once, so that it never brings back what has ended. */
function withoutPairs(found: Found, old: Found['old']): Found {
  const { start } = found
  if (old.length === 0 || start.state !== 'live') return found
  return { ...found, start: { ...start, held: toBeSent(start.held) }, old }
}

/** Whether it is known already. */
function isLive(found: Awaitable<Found>): boolean {
  return 'start' in found && found.start.state === 'live'
}

/** A session of express-session is known to its store, so it counts more than one that is not. */
async function openOldCookies<Data extends object>(
  manager: Manager<Data>,
  header: string,
  byTokens: Awaitable<Found>,
  { expressSession, cookieSession, old }: FromSettings & Pick<Found, 'old'>,
): Promise<Found> {
  let found = await byTokens
  if (found.start.state === 'live') return withoutPairs(found, old)
  found = { ...found, old }
  if (expressSession !== undefined) {
    found = await openOldIds(manager, header, found, expressSession)
  }
  if (cookieSession === undefined || found.start.state === 'live') return found
  const { texts, rejected } = pairTexts(header, cookieSession, manager.settings.clock.now())
  for (const reason of rejected) manager.emit('reject', { reason })
  found = { ...found, rejected: found.rejected + rejected.length }
  // A request of a session that has just been renewed begins nothing.
  if (found.start.state === 'superseded') return found
  for (const text of texts.slice(0, MOST_TRIED)) {
    const opened = await manager.pairs!.open(text)
    if (opened === undefined) continue
    if (opened.state === 'live') {
      manager.emitTaken(opened.held, 'cookieSession')
      return { ...found, start: opened }
    }
    manager.emitNotLive(opened)
  }
  return found
}

async function openOldIds<Data extends object>(
  manager: Manager<Data>,
  header: string,
  found: Found,
  from: ExpressSessionSettings,
): Promise<Found> {
  let { start, rejected } = found
  const ids = new Set<string>()
  for (const value of valuesIn(header, from.name).slice(0, MOST_VALUES)) {
    const verified = from.idIn(value)
    if (typeof verified === 'object') ids.add(verified.id)
    else {
      // The same name may be ours too; its tokens have been told of.
      if (verified === 'signature') manager.emit('reject', { reason: verified })
      rejected++
    }
  }
  for (const id of [...ids].slice(0, MOST_TRIED)) {
    const { opened, place = USUAL_PLACE, isNew } = await manager.takeover!.open(id)
    if (opened.state === 'live') {
      if (isNew) manager.emitTaken(opened.held, 'expressSession')
      const old = [{ name: from.name, ...place }, ...found.old]
      return { ...found, start: opened, rejected, old }
    }
    manager.emitNotLive(opened)
    if (start.state !== 'superseded') start = opened
  }
  return { ...found, start, rejected }
}

function valuesIn(header: string, name: string): string[] {
  return [...cookieValues(header, name)].map(decoded)
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
