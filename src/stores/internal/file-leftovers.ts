import type { DurableFiles } from './durable-files.js'
import { setAsideAt, TEMP_SUFFIX } from './durable-files.js'
import type { FileLocks } from './file-lock.js'
import { LOCK_SUFFIX } from './file-lock.js'

/** Nobody still writes a file, or removes a lock, that was begun so long ago. */
const LEFT_AFTER = 5 * 60_000

/** Removes a file beside the records if a killed process left it there. */
export async function clearLeftover(
  files: DurableFiles,
  locks: FileLocks,
  path: string,
): Promise<void> {
  if (path.endsWith(LOCK_SUFFIX)) return await locks.clear(path)
  const isTemp = path.endsWith(TEMP_SUFFIX)
  const asideAt = setAsideAt(path)
  if (!isTemp && asideAt === undefined && !path.includes(`${LOCK_SUFFIX}.`)) return
  const since = asideAt ?? (await files.writtenAt(path))
  if (since === undefined || Math.abs(Date.now() - since) < LEFT_AFTER) return
  if (isTemp || asideAt !== undefined || (await locks.isIdle(path))) await files.remove(path)
}
