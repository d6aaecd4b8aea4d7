import { hash, randomBytes } from 'node:crypto'

/** 192 bits: ASVS 7.2.3 asks for 128 from a CSPRNG. */
const ID_BYTES = 24

/** The length of an id in base64url. */
export const ID_LENGTH = (ID_BYTES / 3) * 4

/** A new id: the secret that names a session, 32 characters of base64url. */
export function newId(): string {
  return randomBytes(ID_BYTES).toString('base64url')
}

/**
 * The key under which the record of an id is kept. A stolen store holds no usable ids, and a
 * look-up by hash leaks nothing through its timing (the class of CVE-2019-16782).
 */
export function keyOf(id: string): string {
  return hash('sha256', id, 'base64url')
}
