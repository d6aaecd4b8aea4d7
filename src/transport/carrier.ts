import type { Held } from '../core/keeper.js'
import type { Explanation } from '../explanation.js'
import type { HeaderEdit } from '../http/header-view.js'
import type { HopProblem } from '../http/secure-request.js'

/** How a response tells its client of a token. */
export interface Carrier {
  /** The header of requests that a response with a session depends on. */
  readonly vary: 'Cookie' | 'Authorization'
  /**
   * Hands a token over. undefined: there is no header for that.
   * @param alone in one line of one header, or not at all
   */
  set(held: Held, token: string, alone?: 'alone'): HeaderEdit | undefined
  /** Tells the client to forget what it has. undefined: it cannot be told. */
  clear(): HeaderEdit | undefined
  /** The same in the words of `explain`. */
  form(): Pick<Explanation['cookie'], 'name' | 'attributes'> & {
    readonly problem: HopProblem | undefined
  }
}
