// Sessions that travel in their tokens: the stores have keys, so there is no secret.
import {
  type CommonOptions,
  MemoryStore,
  type SessionOptions,
  session,
  type TokenSessionOptions,
  type TokenStore,
} from 'coatcheck'
import { CookieStore, type CookieStoreOptions } from 'coatcheck/stores/cookie'
import { JwtStore, type JwtStoreOptions } from 'coatcheck/stores/jwt'

interface Data {
  userId: string
}

const secret = 'a secret of at least thirty-two bytes'
const ofCookies: CookieStoreOptions = { keys: secret }
const ofJwts: JwtStoreOptions = { keys: [secret, secret], issuer: 'https://app.example' }
session({ store: new CookieStore(ofCookies) })
session({ store: new JwtStore(ofJwts), idleTimeout: false, cookie: { name: '__Host-sid' } })
session<Data>({ store: new CookieStore({ keys: [secret] }), user: (data) => data.userId })

const beside = { revocations: new MemoryStore(), overflow: new MemoryStore() }
session({ store: new CookieStore(ofCookies), ...beside })

// @ts-expect-error TS2353: only for sessions that travel in their tokens
session({ secret, store: new MemoryStore(), overflow: new MemoryStore() })
// @ts-expect-error TS2345: a token store has keys of its own
session({ store: new CookieStore({ keys: secret }), secret })
// @ts-expect-error TS2345: a token store has keys of its own
session<Data>({ store: new JwtStore({ keys: secret }), secret: [secret] })
// @ts-expect-error TS2345: a store that keeps sessions needs a secret for its ids
session({ store: new MemoryStore() })
// @ts-expect-error TS2741: there is no key to fall back on
new CookieStore({})
// @ts-expect-error TS2322: bytes are no text
new JwtStore({ keys: new Uint8Array(32) })
// @ts-expect-error TS2353: the algorithm is no choice
new JwtStore({ keys: secret, algorithm: 'none' })
// @ts-expect-error TS2353: it has no issuer
new CookieStore({ keys: secret, issuer: 'https://app.example' })

session({ store: new CookieStore(ofCookies), chunks: 4 })
// @ts-expect-error TS2322: an id never needs several cookies
session({ secret, chunks: 2 })
// @ts-expect-error TS2322: four are the most
session({ store: new CookieStore(ofCookies), chunks: 5 })

const common: CommonOptions<Data> = { idleTimeout: 1000 }
export const options: SessionOptions<Data> = { ...common, secret }
export const ofTokens: TokenSessionOptions<Data> = { ...common, store: new CookieStore(ofCookies) }
export const own: TokenStore = {
  seal: ({ text }, { audience }) => `${audience}.${text}`,
  open: () => ({ rejected: 'signature' }),
}
