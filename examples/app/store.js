// Where the sessions are: in files, or with the visitors, who then carry them in their cookies.
import { CookieStore } from 'coatcheck/stores/cookie'
import { FileStore } from 'coatcheck/stores/file'
import { JwtStore } from 'coatcheck/stores/jwt'

/** The options `store` and `secret` of session(), for 'file', 'cookie' or 'jwt'. */
export function openStore(kind, { secret, path }) {
  // These two have keys instead of a secret: it is the whole session that they protect.
  if (kind === 'cookie') return { store: new CookieStore({ keys: secret }) }
  if (kind === 'jwt') return { store: new JwtStore({ keys: secret }) }
  return { store: new FileStore({ path }), secret }
}
