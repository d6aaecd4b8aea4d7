import { fromBase64url, toBase64url } from './base64url.js'

/** A protected header: exactly these members, all of them strings. */
export type JoseHeader = Readonly<Record<string, string>>

/** Finds the key of a token by its header, which nothing vouches for before that key is found. */
export class JoseHeaders {
  readonly #kids: readonly string[]
  readonly #pinned: JoseHeader
  /** The header that tokens of each key get here, encoded. */
  readonly #headers: readonly string[]
  readonly #longest: number

  /**
   * @param keys newest first
   * @param pinned what every header has, besides its `kid`
   */
  constructor(keys: readonly [Named, ...Named[]], pinned: JoseHeader) {
    this.#kids = keys.map(({ kid }) => kid)
    this.#pinned = pinned
    this.#headers = this.#kids.map((kid) => toBase64url(JSON.stringify({ ...pinned, kid })))
    this.#longest = Math.max(...this.#headers.map(({ length }) => length))
  }

  /** The header of tokens made here. */
  get own(): string {
    return this.#headers[0]!
  }

  /** Which key it names, 0 for the newest; -1: none, or it has anything but what it must have. */
  keyBy(encoded: string): number {
    if (encoded === this.own) return 0
    // Nobody has to parse a megabyte.
    if (encoded.length > this.#longest) return -1
    const kid = keyIdOf(encoded, this.#pinned)
    if (kid === undefined) return -1
    const by = this.#kids.indexOf(kid)
    // The members may come in another order. White space, an escape or a name that comes twice
    // would make it longer.
    return encoded.length === this.#headers[by]?.length ? by : -1
  }
}

interface Named {
  readonly kid: string
}

/**
 * The `kid` of a header that has the members of `pinned` with their values and a `kid`, and nothing
 * else: no `zip`, `crit`, `jwk`, `jku`, `x5u`, `x5c`, no `kid` of another type.
 */
function keyIdOf(encoded: string, pinned: JoseHeader): string | undefined {
  const text = fromBase64url(encoded)?.toString('utf8')
  if (text === undefined) return undefined
  let header: unknown
  try {
    header = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) return undefined
  const { kid, ...rest } = header as Record<string, unknown>
  if (typeof kid !== 'string') return undefined
  const names = Object.keys(rest)
  if (names.length !== Object.keys(pinned).length) return undefined
  if (names.some((name) => !Object.hasOwn(pinned, name) || rest[name] !== pinned[name])) {
    return undefined
  }
  return kid
}
