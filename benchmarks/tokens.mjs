// CPU to open a session that travels in its cookie and to seal it again, beside the packages that do
// the same. All sides take turns in one process; the result is ratios.
//
//   node benchmarks/tokens.mjs [--rounds 40] [--count 400]
//
// A turn is what one request does that changes its session: the text of a cookie becomes an object of
// data, and that object the text of the next cookie. What the engine does around it is not in it.
import { createSecretKey, hkdfSync } from 'node:crypto'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { CookieStore } from 'coatcheck/stores/cookie'
import { JwtStore } from 'coatcheck/stores/jwt'
import { sealData, unsealData } from 'iron-session'
import { EncryptJWT, jwtDecrypt, jwtVerify, SignJWT } from 'jose'
import Keygrip from 'keygrip'

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
    const text = JSON.stringify({ v: 1, facts, data })
    return store.seal({ handle: 'aZ3xkZr1o9m0q2CkR3y6sQ4Ex5', text, expiresAt: now + HOUR }, at)
  }
  const open = (token) => JSON.parse(store.open(token, at).sealed.text).data
  return { seal, open }
}

const jweKey = createSecretKey(Buffer.from(hkdfSync('sha256', SECRET, '', 'benchmark', 32)))
const jwsKey = createSecretKey(SECRET, 'utf8')
const keygrip = new Keygrip([SECRET])
const times = (jwt) => jwt.setAudience('sid').setIssuedAt().setExpirationTime('1h')

const payloadOf = (data) => Buffer.from(JSON.stringify(data)).toString('base64')

/** Its two cookies: a payload, and a signature over name and payload. */
const cookieSession = {
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
  'cookie-session': cookieSession,
  // What it does for a session that has changed: it encodes it once to see that, and once to send it.
  'cookie-session, with its look for changes': {
    seal: (data) => (payloadOf(data) === '' ? undefined : cookieSession.seal(data)),
    open: cookieSession.open,
  },
  'jose, HS256': {
    seal: (data) => times(new SignJWT({ data }).setProtectedHeader({ alg: 'HS256' })).sign(jwsKey),
    open: async (token) => (await jwtVerify(token, jwsKey, { audience: 'sid' })).payload.data,
  },
}

/** Micros of CPU a turn. No `await` for the sides that answer at once: it would cost them. */
async function measure({ seal, open }, first) {
  let token = first
  const began = process.cpuUsage()
  for (let n = 0; n < count; n++) {
    let data = open(token)
    if (data instanceof Promise) data = await data
    token = seal(data)
    if (token instanceof Promise) token = await token
  }
  const { user, system } = process.cpuUsage(began)
  return (user + system) / count
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]
}

console.log(`Node ${process.version}, ${cpus()[0].model}, ${cpus().length} cores`)
console.log(`${rounds} rounds of ${count} turns a side; median of the rounds\n`)
for (const bytes of [300, 2048]) {
  const data = dataOf(bytes)
  const first = {}
  for (const [name, side] of Object.entries(sides)) first[name] = await side.seal(data)
  const results = Object.fromEntries(Object.keys(sides).map((name) => [name, []]))
  for (let round = -3; round < rounds; round++) {
    // Who runs behind whom changes, and with it who pays for the garbage of whom.
    const order = Object.keys(sides)
    for (let n = 0; n < Math.abs(round) % order.length; n++) order.push(order.shift())
    for (const name of order) {
      const micros = await measure(sides[name], first[name])
      if (round >= 0) results[name].push(micros)
    }
  }
  const ratio = (name, to) => {
    const each = results[name].map((micros, round) => micros / results[to][round])
    return median(each).toFixed(2)
  }
  console.log(`${JSON.stringify(data).length} bytes of data`)
  for (const [name, each] of Object.entries(results)) {
    const to = /jose, HS|cookie-s|Jwt/.test(name) ? 'JwtStore' : 'CookieStore'
    const beside = name === to ? '' : `, ${ratio(name, to)} × ${to}`
    console.log(`  ${name}: ${median(each).toFixed(1)} µs${beside}`)
  }
}
