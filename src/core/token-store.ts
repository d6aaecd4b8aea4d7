/** What a token says of its session: the record, and what it takes to believe it. */
export interface Sealed {
  /** The public handle of the session. */
  readonly handle: string
  /** The text of the record, as `core/record.ts` writes it. */
  readonly text: string
  /** When the session ends if nobody uses it, in ms since the epoch. */
  readonly expiresAt: number
}

/** When a token is made or read, and what it is for. */
export interface At {
  /** In ms since the epoch. */
  readonly now: number
  /** The name of the cookie, or of whatever else carries the token: another one's opens nothing. */
  readonly audience: string
}

/** What a token turned out to be. A bad one is a value: it must not fail a request. */
export type OpenedToken =
  | { readonly sealed: Sealed; readonly reissue: boolean }
  | { readonly rejected: 'format' | 'signature' }

/**
 * Keeps sessions in the tokens themselves: the client has the state, the server has the keys. Neither
 * method waits for anything.
 */
export interface TokenStore {
  /** A token that only this store can make. */
  seal(sealed: Sealed, at: At): string
  /** `reissue`: it is good, and should be made again with the newest key. */
  open(token: string, at: At): OpenedToken
  /** Keys that data cannot have, since the tokens have a meaning of their own for them. */
  readonly reserved?: ReadonlySet<string>
}

/** Whether something given as a store keeps the sessions in tokens. */
export function isTokenStore(store: unknown): store is TokenStore {
  const methods = store as Record<string, unknown> | null | undefined
  return typeof methods?.seal === 'function' && typeof methods.open === 'function'
}
