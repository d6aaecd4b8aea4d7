import type {
  link,
  mkdir,
  open,
  opendir,
  readdir,
  readFile,
  rename,
  rmdir,
  stat,
  unlink,
} from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { CoatcheckError } from '../../errors.js'

/** What the file store asks of `node:fs/promises`; a test injects failures here. */
export interface FileSystem {
  link: typeof link
  mkdir: typeof mkdir
  open: typeof open
  opendir: typeof opendir
  readdir: typeof readdir
  readFile: typeof readFile
  rename: typeof rename
  rmdir: typeof rmdir
  stat: typeof stat
  unlink: typeof unlink
}

/**
 * Windows answers these while a virus scanner, an indexer or another process has the file open or
 * its removal is pending; a moment later it works. The last two mean that this process, or the
 * machine, has too many files open.
 */
const PASSING = new Set(['EPERM', 'EBUSY', 'EACCES', 'EMFILE', 'ENFILE'])

/** In ms: 0.3 s altogether, well within the time that a request waits for its store. */
const PAUSES = [10, 20, 40, 80, 160]

/** What may work a moment later on every system. The last is of our own making. */
const RETRYABLE = new Set(['EBUSY', 'EMFILE', 'ENFILE', 'ELOCKLOST'])

/** The `code` of a system error. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/** Whether the disk, or what its owner may use of it, is full. */
export function isFull(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** Runs it again after a failure that may pass. Any other one, ENOENT first of all, comes at once. */
export async function patiently<T>(run: () => Promise<T>): Promise<T> {
  for (const pause of PAUSES) {
    try {
      return await run()
    } catch (error) {
      if (!PASSING.has(codeOf(error) ?? '')) throw error
      await delay(pause * (0.5 + Math.random()))
    }
  }
  return await run()
}

/** The coded error of an operation that the file system refused, after which nothing has changed. */
export function storeError(op: string, cause: unknown): CoatcheckError {
  if (cause instanceof CoatcheckError) return cause
  const code = codeOf(cause) ?? 'no code'
  const retryable = RETRYABLE.has(code) || (process.platform === 'win32' && PASSING.has(code))
  const details = { op, store: 'FileStore', retryable, outcome: 'failed', cause } as const
  return new CoatcheckError('ERR_STORE', `FileStore: ${op} failed (${code})`, details)
}
