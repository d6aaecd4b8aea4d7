import fc from 'fast-check'
import type { Clock } from '../../src/core/clock.js'
import { StoreKeeper } from '../../src/core/store-keeper.js'
import { Keyring } from '../../src/crypto/keyring.js'
import { ID_LENGTH, keyOf } from '../../src/crypto/session-id.js'
import { edited, edits } from './edited-text.js'
import { same, type Target, target } from './target.js'

const SECRETS = [
  'the newest secret of these cases, 32 bytes',
  'the older secret of these cases, 32 bytes',
]
const STRANGER = 'the secret of somebody else, of 32 bytes'
const AUDIENCES = ['sid', 'app', 'id']

let loads = 0
const countingStore = {
  load() {
    loads++
    return undefined
  },
  create: refuse,
  replace: refuse,
  touch: refuse,
  destroy: refuse,
}

function refuse(): never {
  throw new Error('opening a token only ever loads')
}

const clock: Clock = { now: () => 0, setTimeout: () => undefined, clearTimeout() {} }

function keeperWith(secrets: readonly string[]): StoreKeeper {
  return new StoreKeeper({
    store: countingStore,
    secrets,
    clock,
    lifetime: { idleTimeout: 1000, absoluteTimeout: 1000 },
    storeTimeout: 1000,
    inBackground() {},
    onError: refuse,
  })
}

const keeper = keeperWith(SECRETS)
let made = 0
/** No two audiences share an id: a token that opens for another one would not be noticed. */
const tokensOf = (secrets: readonly string[]) =>
  AUDIENCES.flatMap((audience) =>
    Array.from({ length: 3 }, () => {
      // The same in each run, so that a seed leads to the same case again.
      const id = keyOf(`id ${++made}`).slice(0, ID_LENGTH)
      return {
        audience,
        token: keeperWith(secrets).token({ identity: { id, handle: '' } }, audience),
      }
    }),
  )
const [newest, older, strange] = [SECRETS, SECRETS.slice(1), [STRANGER]].map(tokensOf)
const issued = new Set([...newest!, ...older!].map((one) => `${one.audience} ${one.token}`))
const pool = [...newest!, ...older!, ...strange!]

const SNIPPETS = ['.', '..', '=', '==', '-', '_', '+', '/', '%2E', '\n', '\u0000', 'Ā', 'š', ' ']

/** Where id and signature meet, of a token of 76 characters. */
const BETWEEN = [32.5 / 77, 33.5 / 77]

const openings = fc.record({
  of: fc.nat(pool.length - 1),
  other: fc.nat(pool.length - 1),
  audience: fc.constantFrom(...AUDIENCES),
  changes: edits(SNIPPETS, BETWEEN),
})

/** A token opens only as it was issued and for what it was issued; nothing else costs a load. */
export const signedTokens: Target = target('signed tokens', 18, openings, (one) => {
  const token = edited(pool[one.of]!.token, pool[one.other]!.token, one.changes)
  loads = 0
  const opened = keeper.open(token, one.audience)
  const state = 'then' in opened ? 'a wait' : opened.state
  const isOurs = issued.has(`${one.audience} ${token}`)
  same(JSON.stringify(token), `${state} ${loads}`, isOurs ? 'gone 1' : 'rejected 0')
})

const keyring = new Keyring(SECRETS)
const TEXTS = ['', 'a', 'coatcheck id\nsid\nx', 'ä', '😀']
const signedTexts = TEXTS.flatMap((text) =>
  SECRETS.map((secret, by) => ({ text, by, signature: new Keyring([secret]).sign(text) })),
)
const bySignature = new Map(signedTexts.map((one) => [`${one.text} ${one.signature}`, one.by]))

const verifications = fc.record({
  of: fc.nat(signedTexts.length - 1),
  other: fc.nat(signedTexts.length - 1),
  text: fc.nat(TEXTS.length - 1),
  changes: edits(SNIPPETS),
})

/** The check alone, which other formats of tokens may hand any text. */
export const signatures: Target = target('signatures', 25, verifications, (one) => {
  const text = TEXTS[one.text]!
  const { signature } = signedTexts[one.of]!
  const given = edited(signature, signedTexts[one.other]!.signature, one.changes)
  const expected = bySignature.get(`${text} ${given}`) ?? -1
  same(JSON.stringify([text, given]), `${keyring.signedBy(text, given)}`, `${expected}`)
})
