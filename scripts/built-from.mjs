// Which sources dist/ was built from, so that a stale build is noticed by content: dates change
// with every checkout.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Inside dist/, the fingerprint of the sources it was built from. */
export const STAMP = '.built-from'

const INPUTS = ['src', 'scripts/build.mjs', 'package-lock.json']
const CONFIGS = ['tsconfig.json', 'tsconfig.build.json', 'tsconfig.cjs.json']

/** A fingerprint of everything that goes into dist/. */
export function fingerprint(root) {
  const hash = createHash('sha256')
  for (const path of [...INPUTS, ...CONFIGS].sort()) add(hash, root, path)
  return hash.digest('hex')
}

/** Whether dist/ is there and was built from the sources as they are now. */
export function isBuilt(root) {
  const stamp = join(root, 'dist', STAMP)
  return existsSync(stamp) && readFileSync(stamp, 'utf8').trim() === fingerprint(root)
}

function add(hash, root, path) {
  const full = join(root, path)
  if (!existsSync(full)) return
  let names
  try {
    names = readdirSync(full).sort()
  } catch (error) {
    if (error.code !== 'ENOTDIR') throw error
    hash.update(`${path}\0`).update(readFileSync(full)).update('\0')
    return
  }
  for (const name of names) add(hash, root, `${path}/${name}`)
}
