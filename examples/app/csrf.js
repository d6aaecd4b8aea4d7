// Cross-site request forgery: another site cannot read our pages, but it can make your browser send
// a form to us, and the browser adds your cookie. So a cookie alone proves nothing about who wanted
// the request. Three independent walls:
//   1. the cookie is SameSite=Lax (Coatcheck's default): not sent with a cross-site POST at all;
//   2. the browser itself says where a request comes from, in Sec-Fetch-Site and Origin;
//   3. each form repeats a random token of the session, which another site cannot know.
import { randomBytes, timingSafeEqual } from 'node:crypto'

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The token for the hidden field of a form. Lives in the session and is made with its first form. */
export function csrfToken(req) {
  req.session.csrf ??= randomBytes(32).toString('base64url')
  return req.session.csrf
}

/** Middleware: lets a request that changes something through only if it comes from our own page. */
export function csrfGuard(req, _res, next) {
  if (SAFE_METHODS.has(req.method)) return next()
  const sent = req.get('X-CSRF-Token') ?? req.body?._csrf
  if (comesFromElsewhere(req) || !isSame(sent, req.session.csrf)) {
    return next(Object.assign(new Error('CSRF check failed'), { status: 403 }))
  }
  next()
}

function comesFromElsewhere(req) {
  const site = req.get('Sec-Fetch-Site')
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  const origin = req.get('Origin')
  if (origin === undefined) return false
  // Hosts are compared, not whole origins: behind a TLS proxy we see http where the browser saw https.
  return !URL.canParse(origin) || new URL(origin).host !== req.get('Host')
}

function isSame(sent, expected) {
  if (typeof sent !== 'string' || typeof expected !== 'string') return false
  const [a, b] = [Buffer.from(sent), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
