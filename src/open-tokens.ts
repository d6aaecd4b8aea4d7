import type { Held, Opened } from './core/keeper.js'
import type { Start } from './core/session-state.js'
import type { Awaitable } from './core/store.js'
import { bearerToken } from './http/bearer.js'
import { readWholeAndChunks } from './http/cookie-chunks.js'
import { isSecure, type RequestLike } from './http/secure-request.js'
import {
  type CookieAttributes,
  cookieHeader,
  type OldCookie,
  type ReceivedToken,
  readTokens,
} from './http/session-cookie.js'
import type { Manager } from './manager.js'

/** Live sessions tried for one request, if it carries several cookies of the name. */
const MAX_CANDIDATES = 4

/** What the tokens of a request led to. */
export interface Found {
  readonly start: Start
  readonly others: readonly Held[]
  readonly rejected: number
  /** The session came under the cookie of secure requests. */
  readonly secure: boolean
  /** Cookies of express-session or cookie-session that the next cookie of ours takes the place of. */
  readonly old: readonly OldCookie[]
}

export const NO_TOKENS: readonly ReceivedToken[] = []
export const NOTHING_FOUND: Found = {
  start: { state: 'none' },
  others: [],
  rejected: 0,
  secure: false,
  old: [],
}

export function tokensOf(
  { settings }: Pick<Manager, 'settings'>,
  req: RequestLike,
  attributes: CookieAttributes,
): readonly ReceivedToken[] {
  if (settings.bearer !== undefined) return bearerTokens(req)
  const read = settings.chunks > 1 ? readWholeAndChunks : undefined
  return readTokens(cookieHeader(req), attributes, isSecure(req, settings.trustProxy), read)
}

/** What is malformed is looked at like any token that opens nothing, so that an event tells. */
function bearerTokens({ headers: { authorization } }: RequestLike): readonly ReceivedToken[] {
  const token = bearerToken(Array.isArray(authorization) ? authorization[0] : authorization)
  return token === undefined ? NO_TOKENS : [{ token, secure: false }]
}

/** What the tokens lead to. One that a synchronous store answers costs no wait. */
export function openAll<Data extends object>(
  manager: Manager<Data>,
  tokens: readonly ReceivedToken[],
  audience: string,
): Awaitable<Found> {
  const first = tokens[0]!
  if (tokens.length > 1) return openSeveral(manager, tokens, audience)
  const opened = open(manager, first, audience)
  return 'then' in opened
    ? opened.then((answer) => foundOne(manager, answer, first.secure))
    : foundOne(manager, opened, first.secure)
}

function foundOne<Data extends object>(
  manager: Manager<Data>,
  opened: Opened,
  secure: boolean,
): Found {
  if (opened.state === 'live') return { ...NOTHING_FOUND, start: opened, secure }
  manager.emitNotLive(opened)
  return { ...NOTHING_FOUND, start: opened, rejected: opened.state === 'rejected' ? 1 : 0, secure }
}

interface Candidate {
  readonly held: Held
  /** Came under the cookie of secure requests. */
  readonly secure: boolean
}

/** Stale cookies must not hide the live one, and junk must not cost loads. */
async function openSeveral<Data extends object>(
  manager: Manager<Data>,
  tokens: readonly ReceivedToken[],
  audience: string,
): Promise<Found> {
  const first = tokens[0]!
  const live: Candidate[] = []
  let other: Opened | undefined
  let rejected = 0
  let loads = 0
  for (const received of tokens) {
    if (loads === MAX_CANDIDATES) break
    const opened = await open(manager, received, audience)
    if (opened.state !== 'live') manager.emitNotLive(opened)
    else addLive(live, { held: opened.held, secure: received.secure })
    if (opened.state === 'rejected') {
      rejected++
      continue
    }
    loads++
    if (other === undefined || opened.state === 'superseded') other = opened
  }
  const [best, ...rest] = live.sort(byTrust)
  if (best === undefined) {
    return { ...NOTHING_FOUND, start: other ?? { state: 'none' }, rejected, secure: first.secure }
  }
  if (rest.length > 0) {
    manager.emit('duplicate', { ids: live.map(({ held }) => held.identity.handle) })
  }
  const others = rest.map(({ held }) => held)
  const start = { state: 'live', held: best.held } as const
  return { ...NOTHING_FOUND, start, others, rejected, secure: best.secure }
}

/** The token, or what it may be instead. */
function open<Data extends object>(
  manager: Manager<Data>,
  { token, secure, others = [] }: ReceivedToken,
  audience: string,
): Awaitable<Opened> {
  const opened = manager.keeper.open(token, audience)
  const [next, ...more] = others
  if (next === undefined) return opened
  const orNext = (one: Opened): Awaitable<Opened> =>
    one.state === 'rejected' ? open(manager, { token: next, secure, others: more }, audience) : one
  return 'then' in opened ? opened.then(orNext) : orNext(opened)
}

/**
 * One id under two names, or signed with two secrets, is one session. Where its record travels there
 * may be two states of it, one in a whole cookie and one in chunks: parallel responses have set
 * both. The later one ends later.
 */
function addLive(live: Candidate[], candidate: Candidate): void {
  const { handle } = candidate.held.identity
  const at = live.findIndex(({ held }) => held.identity.handle === handle)
  if (at === -1) live.push(candidate)
  else if (isLater(candidate, live[at]!)) live[at] = candidate
}

function isLater(a: Candidate, b: Candidate): boolean {
  // One that lies in a store was moved there for good.
  if (a.held.facts.stored !== b.held.facts.stored) return a.held.facts.stored === true
  return a.secure === b.secure && a.held.stored.expiresAt > b.held.stored.expiresAt
}

/**
 * Of several live sessions: one of the cookie that nobody can plant, as if the request were known
 * to be secure; then one with a user before one without; then the one started last.
 */
function byTrust(a: Candidate, b: Candidate): number {
  return Number(b.secure) - Number(a.secure) || rank(b.held) - rank(a.held)
}

function rank({ facts }: Held): number {
  return facts.started + (facts.user === undefined ? 0 : Number.MAX_SAFE_INTEGER / 2)
}

/** A browser that only guesses where its user will go is no activity (Fetch, Sec-Purpose). */
export function isPrefetch({ headers }: RequestLike): boolean {
  const purpose = headers['sec-purpose']
  return typeof purpose === 'string' && purpose.includes('prefetch')
}
