import { Keyring, SIGNATURE_LENGTH } from '../crypto/keyring.js'
import { Recent } from '../crypto/recent.js'
import { ID_LENGTH, keyOf } from '../crypto/session-id.js'
import type { Identity, Opened } from './keeper.js'

/** Verified tokens remembered: twice 5,000 of about 200 bytes. */
const REMEMBERED_TOKENS = 5_000

const TOKEN = new RegExp(`^[A-Za-z0-9_-]{${ID_LENGTH}}\\.[A-Za-z0-9_-]{${SIGNATURE_LENGTH}}$`)

/** Whose token it is, and whether a newer secret should sign it. */
export interface Verified {
  readonly identity: Identity
  readonly reissue: boolean
}

/** What the client carries of a session in a store: its id, signed for one audience. */
export class Tokens {
  readonly #keyring: Keyring
  readonly #verified = new Recent<Verified>(REMEMBERED_TOKENS)

  /** @param secrets newest first */
  constructor(secrets: readonly string[]) {
    this.#keyring = new Keyring(secrets)
  }

  sign({ id }: Identity, audience: string): string {
    return `${id}.${this.#keyring.sign(signed(id, audience))}`
  }

  verify(token: string, audience: string): Verified | Extract<Opened, { state: 'rejected' }> {
    const cached = `${audience}=${token}`
    const known = this.#verified.get(cached)
    if (known !== undefined) return known
    if (!TOKEN.test(token)) return { state: 'rejected', reason: 'format' }
    const id = token.slice(0, ID_LENGTH)
    const by = this.#keyring.signedBy(signed(id, audience), token.slice(ID_LENGTH + 1))
    if (by === -1) return { state: 'rejected', reason: 'signature' }
    const verified = { identity: { id, handle: keyOf(id) }, reissue: by > 0 }
    this.#verified.set(cached, verified)
    return verified
  }
}

function signed(id: string, audience: string): string {
  return `coatcheck id\n${audience}\n${id}`
}
