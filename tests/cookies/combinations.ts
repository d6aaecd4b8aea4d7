import type { CookieOptions } from '../../src/index.js'

/** The site of these cookies; the browser test has names in it lead to this machine. */
export const SITE = 'coats.example'

const SECURE = '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=Lax'
const PLAIN = 'sid=T; Path=/; HttpOnly; SameSite=Lax'
const MONTH = 'Max-Age=2592000; '
const ODD = "!#$%&'*+-.^_`|~9Az"

type Row = [options: CookieOptions, http: string, https: string, unknown: string]

/**
 * Options, and the cookie of a sign-in with T for its value: over plain http; over TLS that ends
 * here; and where nobody knows, since TLS ends at a proxy and only the cookie that came tells.
 */
export const allowed: readonly Row[] = [
  [{}, PLAIN, SECURE, SECURE],
  [{ secure: 'auto' }, PLAIN, SECURE, SECURE],
  [{ secure: true }, SECURE, SECURE, SECURE],
  [{ secure: false }, PLAIN, PLAIN, PLAIN],
  [
    { domain: SITE },
    `sid=T; Domain=${SITE}; Path=/; HttpOnly; SameSite=Lax`,
    `__Secure-sid=T; Domain=${SITE}; Path=/; HttpOnly; Secure; SameSite=Lax`,
    `__Secure-sid=T; Domain=${SITE}; Path=/; HttpOnly; Secure; SameSite=Lax`,
  ],
  [
    { domain: `.${SITE}`, secure: true },
    `__Secure-sid=T; Domain=.${SITE}; Path=/; HttpOnly; Secure; SameSite=Lax`,
    `__Secure-sid=T; Domain=.${SITE}; Path=/; HttpOnly; Secure; SameSite=Lax`,
    `__Secure-sid=T; Domain=.${SITE}; Path=/; HttpOnly; Secure; SameSite=Lax`,
  ],
  [
    { domain: SITE, secure: false },
    `sid=T; Domain=${SITE}; Path=/; HttpOnly; SameSite=Lax`,
    `sid=T; Domain=${SITE}; Path=/; HttpOnly; SameSite=Lax`,
    `sid=T; Domain=${SITE}; Path=/; HttpOnly; SameSite=Lax`,
  ],
  [
    { path: '/app' },
    'sid=T; Path=/app; HttpOnly; SameSite=Lax',
    '__Secure-sid=T; Path=/app; HttpOnly; Secure; SameSite=Lax',
    '__Secure-sid=T; Path=/app; HttpOnly; Secure; SameSite=Lax',
  ],
  [
    { path: '/app/', domain: SITE },
    `sid=T; Domain=${SITE}; Path=/app/; HttpOnly; SameSite=Lax`,
    `__Secure-sid=T; Domain=${SITE}; Path=/app/; HttpOnly; Secure; SameSite=Lax`,
    `__Secure-sid=T; Domain=${SITE}; Path=/app/; HttpOnly; Secure; SameSite=Lax`,
  ],
  // A name of one's own says nothing of TLS, so where nobody knows it stays as on plain http.
  [
    { name: 'shop' },
    'shop=T; Path=/; HttpOnly; SameSite=Lax',
    'shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
    'shop=T; Path=/; HttpOnly; SameSite=Lax',
  ],
  [
    { name: 'shop', secure: true },
    'shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
    'shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
    'shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
  ],
  [
    { name: 'shop', secure: false },
    'shop=T; Path=/; HttpOnly; SameSite=Lax',
    'shop=T; Path=/; HttpOnly; SameSite=Lax',
    'shop=T; Path=/; HttpOnly; SameSite=Lax',
  ],
  [
    { name: ODD },
    `${ODD}=T; Path=/; HttpOnly; SameSite=Lax`,
    `${ODD}=T; Path=/; HttpOnly; Secure; SameSite=Lax`,
    `${ODD}=T; Path=/; HttpOnly; SameSite=Lax`,
  ],
  // A name with a prefix promises Secure, whatever is known of the request.
  [
    { name: '__Host-shop' },
    '__Host-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
    '__Host-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
    '__Host-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
  ],
  [
    { name: '__HOST-shop', secure: true, path: '/' },
    '__HOST-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
    '__HOST-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
    '__HOST-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
  ],
  [
    { name: '__Secure-shop' },
    '__Secure-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
    '__Secure-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
    '__Secure-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
  ],
  [
    { name: '__secure-shop', domain: SITE, path: '/app' },
    `__secure-shop=T; Domain=${SITE}; Path=/app; HttpOnly; Secure; SameSite=Lax`,
    `__secure-shop=T; Domain=${SITE}; Path=/app; HttpOnly; Secure; SameSite=Lax`,
    `__secure-shop=T; Domain=${SITE}; Path=/app; HttpOnly; Secure; SameSite=Lax`,
  ],
  [
    { name: '__Http-shop', path: '/app', domain: SITE },
    `__Http-shop=T; Domain=${SITE}; Path=/app; HttpOnly; Secure; SameSite=Lax`,
    `__Http-shop=T; Domain=${SITE}; Path=/app; HttpOnly; Secure; SameSite=Lax`,
    `__Http-shop=T; Domain=${SITE}; Path=/app; HttpOnly; Secure; SameSite=Lax`,
  ],
  [
    { name: '__Host-Http-shop' },
    '__Host-Http-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
    '__Host-Http-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
    '__Host-Http-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax',
  ],
  [{ sameSite: 'lax' }, PLAIN, SECURE, SECURE],
  [
    { sameSite: 'strict' },
    'sid=T; Path=/; HttpOnly; SameSite=Strict',
    '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=Strict',
    '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=Strict',
  ],
  [
    { sameSite: 'strict', secure: false },
    'sid=T; Path=/; HttpOnly; SameSite=Strict',
    'sid=T; Path=/; HttpOnly; SameSite=Strict',
    'sid=T; Path=/; HttpOnly; SameSite=Strict',
  ],
  [
    { sameSite: 'none' },
    PLAIN,
    '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=None',
    '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=None',
  ],
  [
    { sameSite: 'none', secure: true },
    '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=None',
    '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=None',
    '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=None',
  ],
  [
    { sameSite: 'none', name: 'embedded' },
    'embedded=T; Path=/; HttpOnly; SameSite=Lax',
    'embedded=T; Path=/; HttpOnly; Secure; SameSite=None',
    'embedded=T; Path=/; HttpOnly; SameSite=Lax',
  ],
  [
    { partitioned: true },
    PLAIN,
    '__Host-sid=T; Path=/; HttpOnly; Secure; Partitioned; SameSite=Lax',
    '__Host-sid=T; Path=/; HttpOnly; Secure; Partitioned; SameSite=Lax',
  ],
  [
    { partitioned: true, sameSite: 'none' },
    PLAIN,
    '__Host-sid=T; Path=/; HttpOnly; Secure; Partitioned; SameSite=None',
    '__Host-sid=T; Path=/; HttpOnly; Secure; Partitioned; SameSite=None',
  ],
  [
    { partitioned: true, secure: true, domain: SITE },
    `__Secure-sid=T; Domain=${SITE}; Path=/; HttpOnly; Secure; Partitioned; SameSite=Lax`,
    `__Secure-sid=T; Domain=${SITE}; Path=/; HttpOnly; Secure; Partitioned; SameSite=Lax`,
    `__Secure-sid=T; Domain=${SITE}; Path=/; HttpOnly; Secure; Partitioned; SameSite=Lax`,
  ],
  [
    { httpOnly: false },
    'sid=T; Path=/; SameSite=Lax',
    '__Host-sid=T; Path=/; Secure; SameSite=Lax',
    '__Host-sid=T; Path=/; Secure; SameSite=Lax',
  ],
  ...(['low', 'medium', 'high'] as const).map((priority): Row => {
    const shown = `Priority=${priority[0]!.toUpperCase()}${priority.slice(1)}; SameSite=Lax`
    const secure = SECURE.replace('SameSite=Lax', shown)
    return [{ priority }, PLAIN.replace('SameSite=Lax', shown), secure, secure]
  }),
  ...([true, false] as const).map((persistent): Row => {
    const dated = (line: string) =>
      persistent
        ? line
            .replace('Path', `${MONTH}Path`)
            .replace('HttpOnly', 'Expires=Thu, 31 Jan 2030 00:00:00 GMT; HttpOnly')
        : line
    return [{ persistent }, dated(PLAIN), dated(SECURE), dated(SECURE)]
  }),
]

const TOKEN = "it takes letters, digits and !#$%&'*+-.^_`|~."
const PATH = 'it takes a path that starts with / and has no control character, ; or <.'

/** Options that browsers would not keep the promise of, and the whole message at start. */
export const refused: readonly [options: Record<string, unknown>, message: string][] = [
  [
    { name: '__Host-sid', domain: SITE },
    "cookie.name '__Host-sid' allows no cookie.domain; use the prefix __Secure-.",
  ],
  [
    { name: '__host-sid', path: '/app' },
    "cookie.name '__host-sid' needs cookie.path '/'; use the prefix __Secure-.",
  ],
  [
    { name: '__Host-sid', secure: false },
    "cookie.name '__Host-sid' needs Secure, and cookie.secure is false.",
  ],
  [
    { name: '__SECURE-sid', secure: false },
    "cookie.name '__SECURE-sid' needs Secure, and cookie.secure is false.",
  ],
  [
    { sameSite: 'none', secure: false },
    "cookie.sameSite 'none' needs Secure, and cookie.secure is false.",
  ],
  [
    { partitioned: true, secure: false },
    'cookie.partitioned needs Secure, and cookie.secure is false.',
  ],
  [{ name: 'a b' }, `The option cookie.name is "a b"; ${TOKEN}`],
  [{ name: 'a;b' }, `The option cookie.name is "a;b"; ${TOKEN}`],
  [{ name: 'a\r\nb' }, `The option cookie.name is "a\\r\\nb"; ${TOKEN}`],
  [{ name: 'sïd' }, `The option cookie.name is "sïd"; ${TOKEN}`],
  [{ name: '' }, `The option cookie.name is ""; ${TOKEN}`],
  [{ name: 'n'.repeat(1025) }, 'The option cookie.name has 1025 bytes; browsers take 1024.'],
  [{ path: '' }, `The option cookie.path is ""; ${PATH}`],
  [{ path: 'app' }, `The option cookie.path is "app"; ${PATH}`],
  [{ path: '/; Domain=evil' }, `The option cookie.path is "/; Domain=evil"; ${PATH}`],
  [{ path: '/a\u0000' }, `The option cookie.path is "/a\\u0000"; ${PATH}`],
  [{ path: '/a<b' }, `The option cookie.path is "/a<b"; ${PATH}`],
  [{ path: '/a ' }, `The option cookie.path is "/a "; ${PATH}`],
  [{ path: '/ä' }, `The option cookie.path is "/ä"; ${PATH}`],
  [{ path: `/${'p'.repeat(1024)}` }, 'The option cookie.path has 1025 bytes; browsers take 1024.'],
  [
    { domain: `${'d'.repeat(64)}.example` },
    `The option cookie.domain is "${'d'.repeat(64)}.example"; it takes a host name.`,
  ],
  [{ domain: '' }, 'The option cookie.domain is ""; it takes a host name.'],
  [
    { domain: `${SITE}; Secure` },
    `The option cookie.domain is "${SITE}; Secure"; it takes a host name.`,
  ],
  [
    { domain: 'https://coats.example' },
    'The option cookie.domain is "https://coats.example"; it takes a host name.',
  ],
  [
    { domain: `${'d.'.repeat(512)}d` },
    'The option cookie.domain has 1025 bytes; browsers take 1024.',
  ],
  [{ sameSite: 'None' }, "The option cookie.sameSite is 'None'; it takes 'lax', 'strict', 'none'."],
  [
    { sameSite: false },
    "The option cookie.sameSite is a boolean; it takes 'lax', 'strict', 'none'.",
  ],
  [{ secure: null }, "The option cookie.secure is null; it takes 'auto', true, false."],
  [{ secure: 'true' }, "The option cookie.secure is a string; it takes 'auto', true, false."],
  [{ priority: 'High' }, "The option cookie.priority is 'High'; it takes 'low', 'medium', 'high'."],
  [{ httpOnly: 0 }, 'The option cookie.httpOnly is a number; it takes a boolean.'],
  [{ partitioned: 'yes' }, 'The option cookie.partitioned is a string; it takes a boolean.'],
  [{ persistent: 60_000 }, 'The option cookie.persistent is a number; it takes a boolean.'],
  [
    { SameSite: 'lax' },
    'Unknown option cookie.SameSite; there are name, path, domain, sameSite, secure, httpOnly, partitioned, priority, persistent.',
  ],
  [
    { expires: new Date(0) },
    'The option cookie.expires is one of express-session: here use idleTimeout and absoluteTimeout, and cookie.persistent to survive the browser.',
  ],
]
