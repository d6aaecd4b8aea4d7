// Passwords are kept as scrypt hashes: slow and memory-hungry on purpose, so that a stolen
// users.json is not a list of passwords.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(scrypt)

// One of OWASP's recommended settings: 128 * N * r = 32 MiB and about 0.2 s for each guess.
const COST = { N: 2 ** 15, r: 8, p: 3 }
const KEY_BYTES = 32

/** `scrypt$N$r$p$salt$key`: the cost travels with the hash, so it can be raised later. */
export async function hashPassword(password) {
  const salt = randomBytes(16)
  const key = await deriveKey(password, salt, COST)
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64'), key.toString('base64')].join(
    '$',
  )
}

/** Whether the password is the one that was hashed. */
export async function verifyPassword(password, hash) {
  const [, N, r, p, salt, expected] = hash.split('$')
  const cost = { N: Number(N), r: Number(r), p: Number(p) }
  const key = await deriveKey(password, Buffer.from(salt, 'base64'), cost)
  // `===` stops at the first different byte and so tells, by its time, how much was right.
  return timingSafeEqual(key, Buffer.from(expected, 'base64'))
}

function deriveKey(password, salt, { N, r, p }) {
  // The same password may be typed as different code points on different keyboards (NFKC).
  // Node's memory limit is exactly 32 MiB by default, a few bytes less than this needs.
  return derive(password.normalize('NFKC'), salt, KEY_BYTES, { N, r, p, maxmem: 2 ** 26 })
}
