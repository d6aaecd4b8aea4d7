// Options that no browser or no session could serve do not compile.
import { type CookieOptions, MemoryStore, type SessionOptions, session } from 'coatcheck'
import { FileStore } from 'coatcheck/stores/file'

const secret = 'a secret of at least thirty-two bytes'
session({ secret, cookie: { sameSite: 'none' } })
session({ secret, cookie: { secure: true, sameSite: 'none', partitioned: true } })
session({ secret, cookie: { secure: false, sameSite: 'strict' } })
session({ secret, cookie: (req) => ({ domain: String(req.headers.host) }) })
session({ secret: [secret, secret], store: new FileStore({ path: 'sessions' }) })
session({ secret, store: new MemoryStore(), idleTimeout: false })

// @ts-expect-error TS2345: a secret is needed
session({})
// @ts-expect-error TS2322: browsers refuse SameSite=None without Secure
session({ secret, cookie: { secure: false, sameSite: 'none' } })
// @ts-expect-error TS2322: browsers refuse Partitioned without Secure
session({ secret, cookie: { secure: false, partitioned: true } })
// @ts-expect-error TS2353: an option of express-session
session({ secret, resave: false })
// @ts-expect-error TS2353: an option of express-session
session({ secret, cookie: { maxAge: 60_000 } })
// @ts-expect-error TS2322: true is no timeout
session({ secret, idleTimeout: true })
// @ts-expect-error TS2322: one of three
session({ secret, concurrency: 'last' })
// @ts-expect-error TS2322: a store has five methods, and one of express-session has destroy
session({ secret, store: new Map() })

const cookie: CookieOptions = { name: 'sid', path: '/', priority: 'high', persistent: true }
export const options: SessionOptions = { secret, cookie }
