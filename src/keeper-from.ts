import type { Keeper } from './core/keeper.js'
import { OverflowKeeper } from './core/overflow-keeper.js'
import { Revocations } from './core/revocations.js'
import type { Store } from './core/store.js'
import { StoreKeeper, type StoreKeeperOptions } from './core/store-keeper.js'
import { TokenKeeper, type TokenKeeperOptions } from './core/token-keeper.js'
import { BEARER_AUDIENCE } from './http/bearer.js'
import { audienceOf } from './http/session-cookie.js'
import type { Settings } from './options.js'

/** Of the 4096 characters that browsers keep of a cookie: its name and its attributes. */
const RESERVE = 256

/** Tokens of sessions that overflow may be longer than this, in characters, for each cookie. */
const LONGEST_TOKEN = 4096 - RESERVE

/** And than this in all of them: Node takes 16 KB of headers, and requests have others. */
const MOST_OF_A_REQUEST = 12_288

type Watchers = Pick<StoreKeeperOptions, 'inBackground' | 'onError'> &
  Required<Pick<TokenKeeperOptions, 'endOthers'>>

/** The keeper that these settings ask for. */
export function keeperFrom(settings: Settings, { endOthers, ...watchers }: Watchers): Keeper {
  const { store, secrets, lifetime, storeTimeout, clock } = settings
  const shared = { lifetime, storeTimeout, clock }
  if (!('seal' in store)) return new StoreKeeper({ ...shared, ...watchers, store, secrets })
  const revocations =
    settings.revocations && new Revocations({ ...shared, store: settings.revocations })
  const tokens = new TokenKeeper({ store, lifetime, clock, revocations, endOthers })
  const { overflow } = settings
  if (overflow === undefined) return tokens
  return new OverflowKeeper({
    tokens,
    // No id of such a session is in a token, so nothing is signed; and its tokens are bound.
    store: new StoreKeeper({ ...shared, ...watchers, store: overflow, secrets: [], unbound: true }),
    revocations,
    lifetime,
    now: () => clock.now(),
    longest: Math.min(LONGEST_TOKEN * settings.chunks, MOST_OF_A_REQUEST),
    audience: audienceFrom(settings),
    isShared: overflow === settings.revocations,
  })
}

/** The stores on the server that sessions are kept in, each once, and whether it has sessions. */
export function storesOf({ store, overflow, revocations }: Settings): Map<Store, boolean> {
  const stores = new Map<Store, boolean>()
  if (revocations !== undefined) stores.set(revocations, false)
  if (overflow !== undefined) stores.set(overflow, true)
  if (!('seal' in store)) stores.set(store, true)
  return stores
}

function audienceFrom({ bearer, cookie }: Settings): string {
  if (bearer !== undefined) return BEARER_AUDIENCE
  return typeof cookie === 'function' ? 'sid' : audienceOf(cookie)
}
