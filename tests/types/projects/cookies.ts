// Names with a prefix (RFC 6265bis, section 5.7) beside what breaks their promise do not compile.
import { type CookieOptions, type SessionOptions, session } from 'coatcheck'

const secret = 'a secret of at least thirty-two bytes'

session({ secret, cookie: { name: '__Host-x' } })
session({ secret, cookie: { name: '__Host-x', path: '/', secure: true, sameSite: 'none' } })
session({ secret, cookie: { name: '__Secure-x', domain: 'a.b', path: '/y', secure: 'auto' } })
session({ secret, cookie: { name: 'x', domain: 'a.b', path: '/y', secure: false } })
session({ secret, cookie: { name: '__Http-x', domain: 'a.b', path: '/y', httpOnly: true } })
session({ secret, cookie: { name: '__Host-Http-x' } })

// @ts-expect-error TS2322: the host alone
session({ secret, cookie: { name: '__Host-x', domain: 'a.b' } })
// @ts-expect-error TS2322: the whole host
session({ secret, cookie: { name: '__Host-x', path: '/y' } })
// @ts-expect-error TS2322: https alone
session({ secret, cookie: { name: '__Host-x', secure: false } })
// @ts-expect-error TS2322: https alone
session({ secret, cookie: { name: '__Secure-x', secure: false } })
// @ts-expect-error TS2322: https alone
session({ secret, cookie: { name: '__Http-x', secure: false } })
// @ts-expect-error TS2322: no scripts
session({ secret, cookie: { name: '__Http-x', httpOnly: false } })
// @ts-expect-error TS2322: no scripts
session({ secret, cookie: { name: '__Host-Http-x', httpOnly: false } })
// @ts-expect-error TS2322: the whole host
session({ secret, cookie: { name: '__Host-Http-x', path: '/y' } })
// @ts-expect-error TS2322: browsers compare without case
session({ secret, cookie: { name: '__HOST-x', domain: 'a.b' } })
// @ts-expect-error TS2322: a name of its own type
export const wrong: CookieOptions<'__Host-x'> = { name: '__Host-x', domain: 'a.b' }

// A name that the compiler does not see is checked at start, or when the function is called.
const name: string = process.env.COOKIE_NAME ?? 'x'
const domain: string = process.env.COOKIE_DOMAIN ?? 'a.b'
const cookie = { name, domain, path: '/y' }
session({ secret, cookie })
session({ secret, cookie: { name, secure: false } })
session<{ userId: string }>({ secret, cookie: { name: '__Host-x', path: '/' } })
const annotated: CookieOptions = { name, domain }
export const options: SessionOptions = { secret, cookie: annotated }
session(options)
session({ secret, cookie: (req) => ({ name, domain: String(req.headers.host) }) })
