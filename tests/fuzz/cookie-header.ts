import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import type { Clock } from '../../src/core/clock.js'
import { MemoryStore, type SessionManager, session } from '../../src/index.js'
import type { HostResponse } from '../../src/middleware.js'
import { edited, edits } from './edited-text.js'
import { same, type Target, waitingTarget } from './target.js'

interface Data {
  n: number
  userId: string
}

const SECRET = 'a secret of the fuzzing of headers, long'

/** Counts what reaches the store, and tells whether anything but a load did. */
class CountedStore extends MemoryStore {
  loads = 0

  override load(key: string) {
    this.loads++
    return super.load(key)
  }
}

/** Names of the cookie, with what a request of this kind reads: the secure name first. */
const KINDS = [
  { cookie: {}, tls: false, names: ['__Host-sid', 'sid'], audience: 'sid' },
  { cookie: {}, tls: true, names: ['__Host-sid'], audience: 'sid' },
  { cookie: { secure: false }, tls: true, names: ['sid'], audience: 'sid' },
  { cookie: { name: 'a.b' }, tls: false, names: ['a.b'], audience: 'a.b' },
  { cookie: { name: '__Secure-s' }, tls: false, names: ['__Secure-s'], audience: 's' },
  { cookie: { path: '/x' }, tls: false, names: ['__Secure-sid', 'sid'], audience: 'sid' },
] as const

interface Known {
  readonly token: string
  /** Of what is live: what its data says, and how it ranks among several. */
  readonly live?: { readonly n: number; readonly rank: number }
}

interface Prepared {
  readonly sessions: SessionManager<Data>
  readonly store: CountedStore
  readonly known: ReadonlyMap<string, Known>
  readonly tokens: readonly string[]
}

/** Four live sessions, two of them with a user, and four that were never stored or have ended. */
async function prepare(kind: (typeof KINDS)[number]): Promise<Prepared> {
  let now = 1_700_000_000_000
  const clock: Clock = { now: () => now, setTimeout: () => undefined, clearTimeout() {} }
  const store = new CountedStore({ clock })
  const sessions = session<Data>({ secret: SECRET, store, clock, cookie: kind.cookie })
  const known: Known[] = []
  for (let n = 0; n < 4; n++) {
    now += 1000
    const token = await sessions.issue(n < 2 ? { n, userId: 'ada' } : { n })
    known.push({ token, live: { n, rank: n < 2 ? n + 10 : n } })
  }
  for (let n = 0; n < 4; n++) {
    const id = Buffer.alloc(24, n).toString('base64url')
    const mac = createHmac('sha256', SECRET).update(`coatcheck id\n${kind.audience}\n${id}`)
    known.push({ token: `${id}.${mac.digest('base64url')}` })
  }
  const byToken = new Map(known.map((one) => [one.token, one]))
  return { sessions, store, known: byToken, tokens: [...byToken.keys()] }
}

const NAMES = ['sid', '__Host-sid', '__Secure-sid', 'a.b', '__Secure-s', 'SID', 'xsid', 'sid2']
const SNIPPETS = ['sid=', 'a.b=', ';', '=', '"', ',', ' ', '\t', '%', '%zz', '\u0000', '\r\n', '..']

const value = fc.oneof(
  { weight: 4, arbitrary: fc.record({ of: fc.nat(7), form: fc.constantFrom('', '"', ' ', '""') }) },
  { weight: 2, arbitrary: fc.record({ of: fc.nat(7), edits: edits(SNIPPETS) }) },
  { weight: 1, arbitrary: fc.constantFrom('', '"', '""', 'x', 'sid=', '=sid=', 'a'.repeat(5000)) },
  { weight: 1, arbitrary: fc.string({ maxLength: 20, unit: 'binary' }) },
)
const part = fc.record({
  name: fc.oneof(
    // One of those that are read.
    { weight: 8, arbitrary: fc.nat(1) },
    { weight: 2, arbitrary: fc.constantFrom(...NAMES) },
    { weight: 1, arbitrary: fc.string({ maxLength: 4 }) },
  ),
  sign: fc.constantFrom('=', '=', '=', '=', '=', '==', ' =', ''),
  value,
  end: fc.constantFrom('; ', '; ', '; ', ';', ' ;', ';;', ';\t', ',', ''),
})

const cases = fc.record({
  kind: fc.nat(KINDS.length - 1),
  parts: fc.array(part, { maxLength: 9 }),
  split: fc.boolean(),
  more: edits(SNIPPETS),
})

const prepared: Promise<Prepared>[] = []

/** The session of a request by its Cookie header, against a reader of headers of our own. */
export const cookieHeader: Target = waitingTarget('cookie header', 6, cases, async (one) => {
  const kind = KINDS[one.kind]!
  prepared[one.kind] ??= prepare(kind)
  const { sessions, store, known, tokens } = await prepared[one.kind]!
  const textOf = (given: (typeof one.parts)[number]['value']): string => {
    if (typeof given === 'string') return given
    const token = tokens[given.of]!
    if ('edits' in given) return edited(token, tokens[(given.of + 1) % 8]!, given.edits)
    return given.form + token + given.form
  }
  const nameOf = (given: string | number): string =>
    typeof given === 'string' ? given : kind.names[given % kind.names.length]!
  const whole = one.parts.map((p) => nameOf(p.name) + p.sign + textOf(p.value) + p.end).join('')
  const header = edited(whole, whole, one.more)

  // What a request has to lead to: at most four of the tokens that verify are loaded, and the best
  // is of the name that nobody can plant, then of a user, then the latest.
  const seen = kind.names.flatMap((name, index) => {
    const trust = kind.names.length === 2 && index === 0 ? 100 : 0
    return [...valuesOf(header, name)].map((text) => ({ text, trust }))
  })
  let loads = 0
  let rejected = 0
  let best: Known['live']
  for (const { text, trust } of seen) {
    if (loads === 4) break
    const found = known.get(text)
    if (found === undefined) rejected++
    else loads++
    if (found?.live === undefined) continue
    const { n, rank } = found.live
    if (best === undefined || rank + trust > best.rank) best = { n, rank: rank + trust }
  }

  store.loads = 0
  // HTTP/2 hands the pairs over one by one.
  const cookie = one.split && header.includes('; ') ? header.split('; ') : header
  const req = { headers: { cookie }, socket: { encrypted: kind.tls } }
  await new Promise<void>((resolve, reject) => {
    sessions(req as never, {} as HostResponse, (error) => (error ? reject(error) : resolve()))
  })
  const { received } = sessions.explain(req)!
  const found = sessions.of(req).session
  same(
    JSON.stringify(header),
    JSON.stringify([received.count, received.rejected, store.loads, found.n, found.isNew]),
    JSON.stringify([seen.length, rejected, loads, best?.n, best === undefined]),
  )
})

/** RFC 6265, section 4.2.1, as a split; a name ends right before its `=`. */
function valuesOf(header: string, name: string): Set<string> {
  const found = new Set<string>()
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    if (at === -1 || pair.slice(0, at).replace(/^[ \t]+/, '') !== name) continue
    const text = pair.slice(at + 1).trim()
    const bare = /^".*"$/s.test(text) && text.length > 1 ? text.slice(1, -1) : text
    if (bare !== '') found.add(bare)
  }
  return found
}
