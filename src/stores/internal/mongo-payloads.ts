import type { KrupteinCipher } from '../../crypto/kruptein-payload.js'
import type { WebCryptoCipher } from '../../crypto/web-crypto-payload.js'
import { objectOfText, textOfObject } from './mongo-session.js'

/** What the field `session` of a document is, and the texts that it stands for. */
export interface Payloads {
  /** The text; undefined: it holds none. */
  read(session: unknown): string | undefined | Promise<string | undefined>
  /** What to keep for a text, where `before` was kept. */
  write(text: string, before?: unknown): unknown
  /** What is kept for a text, if that is known without a look; undefined: it is not. */
  readonly exact: ((text: string) => string) | undefined
}

/** As connect-mongo keeps them by default. Objects are read too. */
export const texts: Payloads = {
  read: readPlain,
  write: (text) => text,
  exact: (text) => text,
}

/** With `stringify: false`. What BSON cannot hold is kept as a text. */
export const objects: Payloads = {
  read: readPlain,
  write: (text, before) => objectOfText(text, before) ?? text,
  exact: undefined,
}

export interface Ciphers {
  readonly kruptein: KrupteinCipher
  readonly webCrypto: WebCryptoCipher
  readonly written: 'kruptein' | 'webCrypto'
}

/** Encrypted. What is not, or not by this secret, is no text: anybody could have put it there. */
export function encrypted({ kruptein, webCrypto, written }: Ciphers): Payloads {
  const writer = written === 'kruptein' ? kruptein : webCrypto
  const other = written === 'kruptein' ? webCrypto : kruptein
  return {
    async read(session) {
      if (typeof session !== 'string') return undefined
      return (await writer.decrypt(session)) ?? (await other.decrypt(session))
    },
    write: (text) => writer.encrypt(text),
    exact: undefined,
  }
}

function readPlain(session: unknown): string | undefined {
  return typeof session === 'string' ? session : textOfObject(session)
}
