import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import type { FileSystem } from './file-system.js'
import { codeOf, patiently } from './file-system.js'

/** Ends the name of a file that is being written. Whoever finds an old one may remove it. */
export const TEMP_SUFFIX = '.tmp'

/** Ends the name of a file that was taken out of its place; before it stands when, in ms. */
export const ASIDE_SUFFIX = '.aside'

/** What `link` answers where the file system has no hard links (FAT, some network shares). */
const NO_LINKS = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'])

/**
 * Writes whole files or nothing, whenever the process is killed; with `fsync` also when the power
 * goes. Folders are made when a write first needs them, for the owner alone, like the files.
 */
export class DurableFiles {
  readonly #fs: FileSystem
  readonly #fsync: boolean
  readonly #onError: (error: unknown) => void

  /** `onError` hears of failures after which what was asked for is nevertheless done. */
  constructor(fs: FileSystem, fsync: boolean, onError: (error: unknown) => void) {
    this.#fs = fs
    this.#fsync = fsync
    this.#onError = onError
  }

  /** The bytes, or undefined after a single failed `open` if there is no such file. */
  async read(path: string): Promise<Buffer | undefined> {
    try {
      return await patiently(() => this.#fs.readFile(path))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /**
   * Puts a file where none is. Between its writing and its appearance it asks `confirm`, which may
   * throw. `unsupported`: this file system cannot do that in one step, and nothing was written.
   */
  async insert(
    path: string,
    data: Buffer,
    confirm?: () => Promise<void>,
  ): Promise<'inserted' | 'taken' | 'unsupported'> {
    const temp = await this.#writeTemp(path, data)
    try {
      const result = await patiently(async () => {
        await confirm?.()
        return await this.#link(temp, path)
      })
      if (result !== 'inserted') return result
    } finally {
      await this.#discard(temp)
    }
    await this.#settle(path)
    return 'inserted'
  }

  /** Puts a file in the place of what may be there, in one step, after `confirm`. */
  async overwrite(path: string, data: Buffer, confirm: () => Promise<void>): Promise<void> {
    const temp = await this.#writeTemp(path, data)
    try {
      await patiently(async () => {
        await confirm()
        await this.#fs.rename(temp, path)
      })
    } catch (error) {
      await this.#discard(temp)
      throw error
    }
    await this.#settle(path)
  }

  /** Makes a file whose name is all it says, unless it is there. */
  async mark(path: string): Promise<void> {
    const handle = await this.#open(path, 'a')
    await handle.close()
    await this.#settle(path)
  }

  /** Whether a new file was made; false if the name is taken. Not meant to survive a power cut. */
  async claim(path: string, data: string): Promise<boolean> {
    try {
      await this.#writeNew(path, data, false)
      return true
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      throw error
    }
  }

  /** Whether a file was removed; false if none is there. */
  async remove(path: string): Promise<boolean> {
    try {
      await patiently(() => this.#fs.unlink(path))
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
  }

  /** As `remove`, and a power cut does not bring the file back. */
  async removeForGood(path: string): Promise<boolean> {
    const removed = await this.remove(path)
    if (removed) await this.#settle(path)
    return removed
  }

  /** Takes a file out of its place in one step, for which a full disk has room; undefined: none is there. */
  async setAside(path: string): Promise<string | undefined> {
    // A rename leaves the time of the last write as it was, so the name tells how old this is.
    const aside = `${path}.${Date.now()}.${randomBytes(8).toString('hex')}${ASIDE_SUFFIX}`
    try {
      await patiently(() => this.#fs.rename(path, aside))
      return aside
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** Puts it back, unless something is in its place by now. */
  async putBack(aside: string, path: string): Promise<void> {
    if ((await this.#link(aside, path)) === 'unsupported') await this.#fs.rename(aside, path)
    else await this.#discard(aside)
  }

  /** When the file was last written, in ms since the epoch; undefined if it is not there. */
  async writtenAt(path: string): Promise<number | undefined> {
    try {
      return (await patiently(() => this.#fs.stat(path))).mtimeMs
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  async #link(temp: string, path: string): Promise<'inserted' | 'taken' | 'unsupported'> {
    try {
      await this.#fs.link(temp, path)
      return 'inserted'
    } catch (error) {
      const code = codeOf(error) ?? ''
      if (code === 'EEXIST') return 'taken'
      if (NO_LINKS.has(code)) return 'unsupported'
      throw error
    }
  }

  async #writeTemp(path: string, data: Buffer): Promise<string> {
    const temp = tempOf(path)
    await this.#writeNew(temp, data, this.#fsync)
    return temp
  }

  async #writeNew(path: string, data: Buffer | string, sync: boolean): Promise<void> {
    const handle = await this.#open(path, 'wx')
    try {
      try {
        await handle.writeFile(data)
        if (sync) await handle.sync()
      } finally {
        await handle.close()
      }
    } catch (error) {
      await this.#discard(path)
      throw error
    }
  }

  async #open(path: string, flags: 'a' | 'wx') {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await patiently(() => this.#fs.open(path, flags, 0o600))
      } catch (error) {
        // Twice, because another process may remove an empty folder right after we made it.
        if (codeOf(error) !== 'ENOENT' || attempt === 2) throw error
        await this.#makeFolder(dirname(path))
      }
    }
  }

  async #makeFolder(path: string): Promise<void> {
    const first = await patiently(() => this.#fs.mkdir(path, { recursive: true, mode: 0o700 }))
    if (first === undefined) return
    for (let made = path; made.length >= first.length; made = dirname(made)) {
      await this.#settle(made)
    }
  }

  async #discard(temp: string): Promise<void> {
    try {
      await this.remove(temp)
    } catch (error) {
      this.#onError(error)
    }
  }

  /**
   * A name in a folder survives a power cut only after an fsync of the folder. The change itself is
   * done by now, so a failure here is news, not a failed operation.
   */
  async #settle(path: string): Promise<void> {
    // Windows cannot open a folder, and needs no such step.
    if (!this.#fsync || process.platform === 'win32') return
    try {
      const folder = await this.#fs.open(dirname(path), 'r')
      try {
        await folder.sync()
      } finally {
        await folder.close()
      }
    } catch (error) {
      // EINVAL and ENOTSUP: this file system has no fsync for folders. ENOENT: an empty folder of
      // the user index was removed by another process, together with what was to be kept.
      if (!['EINVAL', 'ENOTSUP', 'ENOENT'].includes(codeOf(error) ?? '')) this.#onError(error)
    }
  }
}

/** When a file was taken out of its place, in ms since the epoch; undefined: it is none such. */
export function setAsideAt(path: string): number | undefined {
  const moment = /\.(\d+)\.[0-9a-f]+\.aside$/.exec(path)?.[1]
  return moment === undefined ? undefined : Number(moment)
}

function tempOf(path: string): string {
  return `${path}.${randomBytes(8).toString('hex')}${TEMP_SUFFIX}`
}
