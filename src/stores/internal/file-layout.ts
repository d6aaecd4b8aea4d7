import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { FileSystem } from './file-system.js'
import { codeOf } from './file-system.js'

/**
 * Where things are below the folder of a store:
 *
 *     ab/abcd…             a record, named by the SHA-256 of its key
 *     ab/abcd….lock        taken by whoever changes it
 *     ab/abcd….lock.….0    the right to remove that lock after its holder died
 *     ab/abcd….….tmp       a file that is being written
 *     ab/abcd….….aside     a record that is on its way out of a full disk
 *     users/1234…/abcd…    this record is (or was) this user's
 *
 * Hexadecimal, since file systems may ignore case, and a hash, since a key may hold anything.
 */
export class FileLayout {
  readonly root: string
  readonly users: string

  constructor(root: string) {
    this.root = root
    this.users = join(root, 'users')
  }

  recordOf(key: string): string {
    return this.recordNamed(hashName(key))
  }

  recordNamed(name: string): string {
    return join(this.root, name.slice(0, 2), name)
  }

  folderOfUser(user: string): string {
    return join(this.users, hashName(user))
  }
}

/** In UTF-16, as UTF-8 has one encoding for all lone surrogates and so one name for two keys. */
export function hashName(key: string): string {
  return createHash('sha256').update(key, 'utf16le').digest('hex')
}

export function isHashName(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name)
}

/**
 * The names in a folder; none if it is not there. A file in its place, or in the place of one above
 * it, is an error: "nobody has a session" must not be the answer of a folder that cannot be read.
 */
export async function namesIn(fs: FileSystem, folder: string): Promise<string[]> {
  try {
    return await fs.readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** The paths of all files in the shards, a few at a time, beginning with the shard `first`. */
export async function* shardFiles(
  fs: FileSystem,
  layout: FileLayout,
  first = '',
): AsyncGenerator<{ path: string; name: string }, void, undefined> {
  const names = await namesIn(fs, layout.root)
  const shards = names.filter((name) => /^[0-9a-f]{2}$/.test(name)).sort()
  const before = shards.filter((name) => name < first)
  for (const shard of [...shards.slice(before.length), ...before]) {
    const folder = join(layout.root, shard)
    try {
      for await (const { name } of await fs.opendir(folder))
        yield { path: join(folder, name), name }
    } catch (error) {
      if (!isNoFolderOfOurs(error)) throw error
    }
  }
}

/** A name in a folder of ours that is none of ours, or gone meanwhile. */
function isNoFolderOfOurs(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}
