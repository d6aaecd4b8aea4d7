// Where the sessions are: in files, in a database, or with the visitors, who then carry them in their
// cookies.
import { CookieStore } from 'coatcheck/stores/cookie'
import { FileStore } from 'coatcheck/stores/file'
import { JwtStore } from 'coatcheck/stores/jwt'

const POSTGRES = /^postgres(?:ql)?:\/\//

/** Whether STORE may be this. */
export function isKind(kind) {
  return ['file', 'cookie', 'jwt'].includes(kind) || POSTGRES.test(kind)
}

/** The options `store` and `secret` of session(), and how to let go of what was opened for it. */
export async function openStore(kind, { secret, path }) {
  // These two have keys instead of a secret: it is the whole session that they protect.
  if (kind === 'cookie') return { store: new CookieStore({ keys: secret }) }
  if (kind === 'jwt') return { store: new JwtStore({ keys: secret }) }
  if (POSTGRES.test(kind)) return { ...(await openPostgres(kind)), secret }
  return { store: new FileStore({ path }), secret }
}

async function openPostgres(connectionString) {
  const [{ default: pg }, { PostgresStore }] = await Promise.all([
    import('pg'),
    import('coatcheck/stores/postgres'),
  ])
  const pool = new pg.Pool({ connectionString })
  const store = new PostgresStore({ pool })
  // Now and not with the first visitor: a wrong URL shows at the start.
  await store.migrate()
  return { store, close: () => pool.end() }
}
