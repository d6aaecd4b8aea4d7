import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OldStoreKind } from './old-store.js'

const require = createRequire(import.meta.url)

export const sessionFileStore: OldStoreKind = {
  name: 'session-file-store',
  endsBy: 'app',
  async open() {
    const path = mkdtempSync(join(tmpdir(), 'coatcheck-old-'))
    return {
      store(session) {
        const FileStore = require('session-file-store')(session)
        // Five tries for a file that is not there take a quarter of a second.
        return new FileStore({ path, retries: 0, reapInterval: -1, logFn() {} })
      },
      textOf: (id) => readFile(join(path, `${id}.json`), 'utf8').catch(() => undefined),
      close: async () => rmSync(path, { recursive: true, force: true, maxRetries: 10 }),
    }
  },
}
