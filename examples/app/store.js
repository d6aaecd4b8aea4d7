// Where the sessions are: in files, on a server, or with the visitors, who then carry them in their
// cookies.
import { CookieStore } from 'coatcheck/stores/cookie'
import { FileStore } from 'coatcheck/stores/file'
import { JwtStore } from 'coatcheck/stores/jwt'

// Each is loaded when it is asked for: its driver may not be installed.
const SERVERS = {
  'sqlite:': () => import('./stores/sqlite.js'),
  'redis:': () => import('./stores/redis.js'),
  'rediss:': () => import('./stores/redis.js'),
  'memcached:': () => import('./stores/memcached.js'),
  'postgres:': () => import('./stores/postgres.js'),
  'postgresql:': () => import('./stores/postgres.js'),
  'mysql:': () => import('./stores/mysql.js'),
  'mariadb:': () => import('./stores/mysql.js'),
  'mongodb:': () => import('./stores/mongodb.js'),
  'mongodb+srv:': () => import('./stores/mongodb.js'),
}

/** What STORE may be, for a sentence. */
export const KINDS =
  'file, cookie, jwt, sqlite:…, redis://…, memcached://…, postgres://…, mysql://… or mongodb://…'

/** Whether STORE may be this. */
export function isKind(kind) {
  return ['file', 'cookie', 'jwt'].includes(kind) || schemeOf(kind) in SERVERS
}

/** Of STORE, what may be shown: a URL may have a password in it. */
export function shown(kind) {
  return kind.replace(/:.*/s, ':…')
}

/**
 * The options `store` and `secret` of session(), and `close` for what was opened. Throws with a
 * sentence that says what to do.
 */
export async function openStore(kind, { secret, path }) {
  // These two have keys instead of a secret: it is the whole session that they protect.
  if (kind === 'cookie') return { options: { store: new CookieStore({ keys: secret }) } }
  if (kind === 'jwt') return { options: { store: new JwtStore({ keys: secret }) } }
  if (kind === 'file') return { options: { store: new FileStore({ path }), secret } }
  const { open, driver, advice } = await SERVERS[schemeOf(kind)]()
  try {
    const { store, close } = await open(kind)
    return { options: { store, secret }, close }
  } catch (error) {
    const start = `Cannot use STORE=${shown(kind)}`
    if (error.code === 'ERR_MODULE_NOT_FOUND') {
      throw new Error(`${start}: it needs the package ${driver}. npm install ${driver}`)
    }
    // An option, or a driver that is missing: these sentences are Coatcheck's own.
    if (/^ERR_(?:OPTION|UNSUPPORTED)$/.test(error.code)) {
      throw new Error(`${start}: ${error.message}`)
    }
    // Not the message: some drivers quote the URL.
    const { cause } = error
    const reason = cause?.code ?? (cause === undefined ? error.code : cause.name) ?? error.name
    throw new Error(`${start} (${reason}). ${advice} Without STORE there are files.`)
  }
}

/** As `new URL` would tell it, which does not take each URL that drivers take. */
function schemeOf(kind) {
  return /^[a-z+]+:(?=.)/s.exec(kind.replace('://', ':'))?.[0]
}
