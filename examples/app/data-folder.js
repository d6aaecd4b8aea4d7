// The folder that outlives a restart: the secret, the accounts and the sessions.
import { randomBytes } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  constants,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

/** Makes the folder, readable by its owner only, and throws if nothing can be written there. */
export function openDataFolder(path) {
  for (const folder of [path, join(path, 'sessions')]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  }
}

/**
 * The key that signs the session cookie. Made at the first start and kept, because a new secret
 * would sign everybody out. A real deployment takes it from its secret manager instead.
 */
export function readSecret(path) {
  try {
    // Copying a folder often loosens the modes of what is in it.
    chmodSync(path, 0o600)
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  keepFirst(path, `${randomBytes(32).toString('base64url')}\n`)
  return readFileSync(path, 'utf8').trim()
}

/** Writes a file whole or not at all; a file that is already there wins. */
export function keepFirst(path, text) {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600 })
  try {
    // A link never replaces: of two servers that start together, both use the first one's file.
    linkSync(draft, path)
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  } finally {
    rmSync(draft)
  }
}
