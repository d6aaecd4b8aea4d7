import type { Awaitable } from './core/store.js'
import type { RequestLike } from './http/secure-request.js'
import {
  type CookieAttributes,
  cookieHeader,
  cookieValues,
  type ReceivedToken,
} from './http/session-cookie.js'
import type { Manager } from './manager.js'
import { type Found, NOTHING_FOUND, openAll } from './open-tokens.js'

/** A visitor with more cookies of one name than this has too many. */
const MOST_TRIED = 4

const USUAL_PLACE = { path: '/', domain: undefined, secure: false, partitioned: false }

/**
 * What a request leads to: by its tokens, or else by a cookie of express-session, whose session is
 * then taken over. A synchronous store costs no wait.
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
  if (from === undefined || isLive(found)) return found
  return valuesIn(req, from.name).length > 0 ? openOldCookies(manager, req, found) : found
}

/** Whether it is known already. */
function isLive(found: Awaitable<Found>): boolean {
  return 'start' in found && found.start.state === 'live'
}

async function openOldCookies<Data extends object>(
  manager: Manager<Data>,
  req: RequestLike,
  byTokens: Awaitable<Found>,
): Promise<Found> {
  const { takeover } = manager
  const { from } = manager.settings
  const found = await byTokens
  if (found.start.state === 'live' || from === undefined || takeover === undefined) return found
  let { start, rejected } = found
  const ids = new Set<string>()
  for (const value of valuesIn(req, from.name)) {
    const verified = from.idIn(value)
    if (typeof verified === 'object') ids.add(verified.id)
    else {
      // The same name may be ours too; its tokens have been told of.
      if (verified === 'signature') manager.emit('reject', { reason: verified })
      rejected++
    }
  }
  for (const id of [...ids].slice(0, MOST_TRIED)) {
    const { opened, place = USUAL_PLACE, isNew } = await takeover.open(id)
    if (opened.state === 'live') {
      if (isNew) manager.emitCreated(opened.held)
      const old = { name: from.name, ...place }
      return { ...found, start: opened, rejected, old }
    }
    manager.emitNotLive(opened)
    if (start.state !== 'superseded') start = opened
  }
  return { ...found, start, rejected }
}

function valuesIn(req: RequestLike, name: string): string[] {
  const header = cookieHeader(req)
  return header === undefined ? [] : [...cookieValues(header, name)].map(decoded)
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
