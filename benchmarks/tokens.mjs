// CPU to open a session that travels in its cookie and to seal it again, beside the packages that do
// the same. All sides take turns in one process; the result is ratios.
//
//   node benchmarks/tokens.mjs [--rounds 40] [--count 400]
//
// First open and seal: a turn is the text of a cookie that becomes an object of data, and that object
// that becomes the text of the next cookie. Then whole middlewares on Node's own requests and
// responses, without sockets: from the Cookie header to the Set-Cookie header of a response whose
// handler counts a key up, or only looks. There the cost of a request without a session is taken off.
import { createSecretKey, hkdfSync } from 'node:crypto'
import { IncomingMessage, ServerResponse } from 'node:http'
import { cpus } from 'node:os'
import { Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import { session } from 'coatcheck'
import dropIn from 'coatcheck/cookie-session'
import { CookieStore } from 'coatcheck/stores/cookie'
import { JwtStore } from 'coatcheck/stores/jwt'
import cookieSession from 'cookie-session'
import { sealData, unsealData } from 'iron-session'
import { EncryptJWT, jwtDecrypt, jwtVerify, SignJWT } from 'jose'
import Keygrip from 'keygrip'
// What the engine makes of the text of a record, and a record of.
import { decodeRecord, encodeRecord } from '../dist/esm/core/record.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    count: { type: 'string', default: '400' },
  },
})
const rounds = Number(values.rounds)
const count = Number(values.count)

const SECRET = 'a secret of the benchmark, of 32 bytes and more'
const HOUR = 3_600_000
const now = Date.now()
const facts = { created: now, started: now, authenticated: now, idle: 24 * HOUR, user: '42' }

/** Data whose JSON has about so many bytes. */
function dataOf(bytes) {
  const data = {
    userId: '42',
    csrf: 'WJ3xkZr1o9m0q2CkR3y6sQ',
    account: { name: 'Ada Lovelace', roles: ['editor', 'author'], theme: 'dark' },
    cart: [],
  }
  while (JSON.stringify(data).length < bytes - 40) {
    data.cart.push({ sku: `coat-${data.cart.length}`, count: 1, price: 129.5 })
  }
  return data
}

/** A store of Coatcheck with the text of its record, as the engine uses it. */
function storeSide(store) {
  const at = { now, audience: 'sid' }
  const seal = (data) => {
    const entries = new Map()
    for (const key of Object.keys(data)) entries.set(key, JSON.stringify(data[key]))
    const text = encodeRecord(facts, entries)
    return store.seal({ handle: 'aZ3xkZr1o9m0q2CkR3y6sQ4Ex5', text, expiresAt: now + HOUR }, at)
  }
  const open = (token) => decodeRecord(store.open(token, at).sealed.text).record.data
  return { seal, open }
}

const jweKey = createSecretKey(Buffer.from(hkdfSync('sha256', SECRET, '', 'benchmark', 32)))
const jwsKey = createSecretKey(SECRET, 'utf8')
const keygrip = new Keygrip([SECRET])
const times = (jwt) => jwt.setAudience('sid').setIssuedAt().setExpirationTime('1h')

const payloadOf = (data) => Buffer.from(JSON.stringify(data)).toString('base64')

/** Its two cookies: a payload, and a signature over name and payload. */
const lean = {
  seal(data) {
    const payload = payloadOf(data)
    return { payload, signature: keygrip.sign(`session=${payload}`) }
  },
  open({ payload, signature }) {
    if (keygrip.index(`session=${payload}`, signature) !== 0) throw new Error('not signed')
    return JSON.parse(Buffer.from(payload, 'base64').toString('utf8'))
  },
}

const sides = {
  CookieStore: storeSide(new CookieStore({ keys: SECRET })),
  'iron-session': {
    seal: (data) => sealData(data, { password: SECRET, ttl: 3600 }),
    open: (token) => unsealData(token, { password: SECRET, ttl: 3600 }),
  },
  'jose, dir and A256GCM': {
    seal: (data) =>
      times(new EncryptJWT({ data }).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })).encrypt(
        jweKey,
      ),
    open: async (token) => (await jwtDecrypt(token, jweKey, { audience: 'sid' })).payload.data,
  },
  JwtStore: storeSide(new JwtStore({ keys: SECRET })),
  'cookie-session': lean,
  // What it does for a session that has changed: it encodes it once to see that, and once to send it.
  'cookie-session, with its look for changes': {
    seal: (data) => (payloadOf(data) === '' ? undefined : lean.seal(data)),
    open: lean.open,
  },
  'jose, HS256': {
    seal: (data) => times(new SignJWT({ data }).setProtectedHeader({ alg: 'HS256' })).sign(jwsKey),
    open: async (token) => (await jwtVerify(token, jwsKey, { audience: 'sid' })).payload.data,
  },
}

/** Micros of CPU a turn. No `await` for the sides that answer at once: it would cost them. */
async function turns({ seal, open }, first) {
  let token = first
  const began = process.cpuUsage()
  for (let n = 0; n < count; n++) {
    let data = open(token)
    if (data instanceof Promise) data = await data
    token = seal(data)
    if (token instanceof Promise) token = await token
  }
  return microsSince(began)
}

function microsSince(began) {
  const { user, system } = process.cpuUsage(began)
  return (user + system) / count
}

const options = { name: 'session', keys: [SECRET] }
const middlewares = {
  bare: (req, _res, next) => {
    req.session = {}
    next()
  },
  CookieStore: session({ store: new CookieStore({ keys: SECRET }) }),
  JwtStore: session({ store: new JwtStore({ keys: SECRET }) }),
  'cookie-session': cookieSession(options),
  'the drop-in': dropIn(options),
}

class Nowhere extends Writable {
  remoteAddress = '127.0.0.1'
  _write(_chunk, _encoding, done) {
    done()
  }
  _writev(_chunks, done) {
    done()
  }
}

/** The response to a request with these cookies. */
function answered(middleware, cookie, handler) {
  return new Promise((resolve) => {
    const socket = new Nowhere()
    const req = new IncomingMessage(socket)
    req.method = 'GET'
    req.url = '/'
    req.headers = cookie === '' ? { host: 'a' } : { host: 'a', cookie }
    const res = new ServerResponse(req)
    res.assignSocket(socket)
    res.on('finish', () => resolve(res))
    middleware(req, res, () => {
      handler(req.session)
      res.end('done')
    })
  })
}

function cookiesOf(res) {
  const lines = [res.getHeader('set-cookie') ?? []].flat()
  return lines.map((line) => line.split(';')[0]).join('; ')
}

const handlers = {
  read: (session) => session.userId,
  write: (session) => {
    session.views = (session.views ?? 0) + 1
  },
}

async function requests(middleware, first, handler) {
  let cookie = first
  const began = process.cpuUsage()
  for (let n = 0; n < count; n++) {
    const res = await answered(middleware, cookie, handler)
    if (res.hasHeader('set-cookie')) cookie = cookiesOf(res)
  }
  return microsSince(began)
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]
}

/** All sides take turns; the micros of each, by round. */
async function takingTurns(names, measure) {
  const results = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = -3; round < rounds; round++) {
    // Who runs behind whom changes, and with it who pays for the garbage of whom.
    const order = [...names]
    for (let n = 0; n < Math.abs(round) % order.length; n++) order.push(order.shift())
    for (const name of order) {
      const micros = await measure(name)
      if (round >= 0) results[name].push(micros)
    }
  }
  return results
}

function print(results, beside) {
  for (const [name, each] of Object.entries(results)) {
    const ratio = (to) =>
      median(each.map((micros, round) => micros / results[to][round])).toFixed(2)
    const ratios = beside(name).map((to) => `, ${ratio(to)} × ${to}`)
    console.log(`  ${name}: ${median(each).toFixed(1)} µs${ratios.join('')}`)
  }
}

console.log(`Node ${process.version}, ${cpus()[0].model}, ${cpus().length} cores`)
console.log(`${rounds} rounds of ${count} turns a side; median of the rounds`)
for (const bytes of [300, 2048]) {
  const data = dataOf(bytes)
  const first = {}
  for (const [name, side] of Object.entries(sides)) first[name] = await side.seal(data)
  console.log(`\n${JSON.stringify(data).length} bytes of data, open and seal`)
  const sealed = await takingTurns(Object.keys(sides), (name) => turns(sides[name], first[name]))
  print(sealed, (name) => {
    const to = /jose, HS|cookie-s|Jwt/.test(name) ? 'JwtStore' : 'CookieStore'
    return name === to ? [] : [to]
  })
  for (const [name, middleware] of Object.entries(middlewares)) {
    first[name] = cookiesOf(await answered(middleware, '', (it) => Object.assign(it, data)))
  }
  for (const [which, handler] of Object.entries(handlers)) {
    console.log(`\n${JSON.stringify(data).length} bytes of data, a request: ${which}`)
    const { bare, ...results } = await takingTurns(Object.keys(middlewares), (name) =>
      requests(middlewares[name], first[name], handler),
    )
    for (const each of Object.values(results)) {
      for (const round of each.keys()) each[round] -= bare[round]
    }
    print(results, (name) => (name === 'cookie-session' ? [] : ['cookie-session']))
  }
}
