import { basename, join } from 'node:path'
import type { DurableFiles } from './durable-files.js'
import type { FileLayout } from './file-layout.js'
import { isHashName, namesIn } from './file-layout.js'
import type { FileSystem } from './file-system.js'

/**
 * Which records are whose: a folder for each user, in it an empty file for each record, named as
 * the record's own file. An entry is written before its record and removed after it, both under the
 * record's lock, so that a kill in between leaves an entry too many and never one too few.
 */
export class FileUserIndex {
  readonly #fs: FileSystem
  readonly #files: DurableFiles
  readonly #layout: FileLayout

  constructor(fs: FileSystem, files: DurableFiles, layout: FileLayout) {
    this.#fs = fs
    this.#files = files
    this.#layout = layout
  }

  async add(user: string, recordPath: string): Promise<void> {
    await this.#files.mark(this.#entryOf(user, recordPath))
  }

  async remove(user: string, recordPath: string): Promise<void> {
    await this.removeEntry(this.#entryOf(user, recordPath))
  }

  /** Removes an entry, and the folder with its last one. */
  async removeEntry(entry: string): Promise<void> {
    await this.#files.remove(entry)
    try {
      await this.#fs.rmdir(join(entry, '..'))
    } catch {
      // Not empty, as a rule. An empty folder that stays does no harm either.
    }
  }

  /** The paths of records that may be this user's. */
  async recordsOf(user: string): Promise<string[]> {
    const names = await namesIn(this.#fs, this.#layout.folderOfUser(user))
    return names.filter(isHashName).map((name) => this.#layout.recordNamed(name))
  }

  /** Every entry with the path of the record it stands for. */
  async *entries(): AsyncGenerator<{ entry: string; record: string }, void, undefined> {
    for (const user of await namesIn(this.#fs, this.#layout.users)) {
      if (!isHashName(user)) continue
      const folder = join(this.#layout.users, user)
      for (const name of await namesIn(this.#fs, folder)) {
        if (isHashName(name)) {
          yield { entry: join(folder, name), record: this.#layout.recordNamed(name) }
        }
      }
    }
  }

  #entryOf(user: string, recordPath: string): string {
    return join(this.#layout.folderOfUser(user), basename(recordPath))
  }
}
