import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { MemoryStore, session } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { SECRET } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const ID = 'A'.repeat(32)
const SIGNATURE = 'B'.repeat(43)

/** Sessions without a socket, which would not carry all of these. */
function sessionsOn(store: WatchedStore) {
  const sessions = session({ secret: SECRET, store, clock: new FakeClock() })
  const reasons: string[] = []
  sessions.on('reject', ({ reason }) => reasons.push(reason))
  const errors: unknown[] = []
  sessions.on('error', ({ error }) => errors.push(error))
  return { sessions, reasons, errors }
}

const HOSTILE: readonly (readonly [name: string, header: string])[] = [
  ['a path', 'sid=../../etc/passwd'],
  ['an encoded path', 'sid=..%2f..%2fetc%2fpasswd'],
  ['NUL', 'sid=a\0b'],
  ['a line break', 'sid=a\r\nSet-Cookie: x=y'],
  ['4 KB', `sid=${'a'.repeat(4096)}`],
  ['a megabyte', `sid=${'a'.repeat(2 ** 20)}`],
  ['a megabyte in the form of a token', `sid=${ID}.${'B'.repeat(2 ** 20)}`],
  ['broken percent signs', 'sid=%E0%A4%A; sid=%; sid=%zz'],
  ['unicode', 'sid=ключ💥\ud800'],
  ['quotes', 'sid="; sid="""; sid=\'a\''],
  ['glob and query characters', "sid=*?[a]{$ne:1}'; DROP TABLE sessions;--"],
  ['nothing', 'sid=; sid; =; ;;;; ='],
  ['names of members of an object', '__proto__=1; constructor=2; sid=__proto__'],
  ['an old signed id', `sid=s%3A${ID}.${SIGNATURE}`],
  ['a wrong signature', `sid=${ID}.${SIGNATURE}`],
  ['a signature too many', `sid=${ID}.${SIGNATURE}.${SIGNATURE}`],
  ['no signature', `sid=${ID}`],
  ['an empty id', `sid=.${SIGNATURE}`],
  ['a JWT with no algorithm', 'sid=eyJhbGciOiJub25lIn0.e30.'],
  ['a name that begins and ends with others', 'xsid=1; sidx=2; SID=3; s id=4'],
]

describe('a hostile cookie', () => {
  it.each(HOSTILE)('with %s costs no store call and no error', async (_name, cookie) => {
    const store = new WatchedStore(new MemoryStore())
    const { sessions, errors, reasons } = sessionsOn(store)
    expect(await sessions.read({ headers: { cookie } })).toBeNull()
    const left = await passed(sessions, cookie)
    expect(left.error).toBeUndefined()
    expect(left.keys).toEqual([])
    expect(store.calls).toEqual([])
    expect(errors).toEqual([])
    expect(reasons.every((reason) => reason === 'format' || reason === 'signature')).toBe(true)
  })

  it('is told by its reason', async () => {
    const { sessions, reasons } = sessionsOn(new WatchedStore(new MemoryStore()))
    await sessions.read({ headers: { cookie: 'sid=garbage' } })
    await sessions.read({ headers: { cookie: `sid=${ID}.${SIGNATURE}` } })
    await sessions.read({ headers: { cookie: `sid=${wellSigned(ID)}` } })
    expect(reasons).toEqual(['format', 'signature', 'unknown'])
  })

  it('among 10,000 others costs no store call and no error', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { sessions, errors } = sessionsOn(store)
    const values = Array.from(
      { length: 10_000 },
      (_, i) => `sid=${ID}.${10_000 + i}${SIGNATURE.slice(5)}`,
    )
    expect(await sessions.read({ headers: { cookie: values.join('; ') } })).toBeNull()
    expect((await passed(sessions, values.join('; '))).error).toBeUndefined()
    expect(store.calls).toEqual([])
    expect(errors).toEqual([])
  })
})

describe('a well-signed id that the store does not know', () => {
  it('costs one load, and no second try', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { sessions, reasons } = sessionsOn(store)
    expect(await sessions.read({ headers: { cookie: `sid=${wellSigned(ID)}` } })).toBeNull()
    expect(store.calls).toEqual(['load'])
    expect(reasons).toEqual(['unknown'])
  })

  it('costs four loads at most, however many there are', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { sessions } = sessionsOn(store)
    const ids = Array.from({ length: 100 }, (_, i) => `${i}`.padStart(32, 'A'))
    const cookie = ids.map((id) => `sid=${wellSigned(id)}`).join('; ')
    expect(await sessions.read({ headers: { cookie } })).toBeNull()
    expect(store.calls).toEqual(Array(4).fill('load'))
  })
})

/** A token as the engine makes it; nobody else knows the secret. */
function wellSigned(id: string): string {
  const text = `coatcheck id\nsid\n${id}`
  return `${id}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`
}

/** Takes a request through the middleware, as a host without an HTTP parser of its own would. */
function passed(sessions: ReturnType<typeof sessionsOn>['sessions'], cookie: string) {
  const req: { headers: { cookie: string }; session?: object } = { headers: { cookie } }
  return new Promise<{ error: unknown; keys: string[] }>((resolve) => {
    sessions(req as never, { end() {} } as never, (error?: unknown) =>
      resolve({ error, keys: Object.keys(req.session ?? { none: true }) }),
    )
  })
}
