import { posix } from 'node:path'
import type { Entry, Replaced, Stored } from '../../src/core/store.js'
import { CoatcheckError } from '../../src/errors.js'
import { keyOf } from '../../src/testing/conformance/trial.js'
import { type BrokenStore, broken } from './broken-writes.js'
import { ReferenceStore, type Row } from './reference-store.js'

/** Turns every key into another one on its way in. */
function keyed(change: (key: string) => string): typeof ReferenceStore {
  return class extends ReferenceStore {
    override load(key: string): Promise<Stored | undefined> {
      return super.load(change(key))
    }
    override create(key: string, entry: Entry): Promise<boolean> {
      return super.create(change(key), entry)
    }
    override replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
      return super.replace(change(key), entry, seen)
    }
    override touch(key: string, expiresAt: number): Promise<boolean> {
      return super.touch(change(key), expiresAt)
    }
    override destroy(key: string): Promise<boolean> {
      return super.destroy(change(key))
    }
  }
}

/** Turns every text into another one on its way in. */
function texted(change: (text: string) => string): typeof ReferenceStore {
  return class extends ReferenceStore {
    override put(key: string, entry: Entry): void {
      super.put(key, { ...entry, text: change(entry.text) })
    }
  }
}

/** What a JSON column or a parsing layer makes of a text. */
function reparsed(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return text
  }
}

const TEXT_DAMAGES: readonly (readonly [defect: string, change: (text: string) => string])[] = [
  ['trims texts', (text) => text.trim()],
  ['normalises unicode', (text) => text.normalize('NFC')],
  ['parses texts and writes them anew', reparsed],
  ['keeps 16 bits of a character', (text) => text.replace(/[\u{10000}-\u{10ffff}]/gu, '?')],
  ['keeps 8 bits of a character', (text) => Buffer.from(text, 'latin1').toString('latin1')],
  ['cuts texts at 64 KB', (text) => text.slice(0, 65_535)],
  ['cuts texts at NUL', (text) => text.split('\0')[0] ?? ''],
  ['drops escaped NULs', (text) => text.replace('\\u0000', '')],
  ['drops escaped surrogates', (text) => text.replace('\\ud800', '')],
  ['takes a backslash away', (text) => text.replaceAll("\\\\'", "\\'")],
  ['drops separators of lines', (text) => text.replace(/[\u2028\u2029\ufeff]/g, '')],
  ['drops a prototype', (text) => text.replace('"__proto__":{"admin":true},', '')],
  ['drops a cookie', (text) => text.replace('"cookie":{"a":1},', '')],
  ['drops what is deep', (text) => text.replace(/\[{100,}\]{100,}/, '[]')],
  ['takes nothing for an object', (text) => (text === '' ? '{}' : text)],
  ['takes null for nothing', (text) => (text === 'null' ? '' : text)],
  ['takes digits for a number', (text) => (/^\d+$/.test(text) ? String(Number(text)) : text)],
  ['quotes what is not JSON', (text) => (text.startsWith('not') ? JSON.stringify(text) : text)],
]

/** Defects of S12 to S15: how operations answer, and what keys and texts become. */
export const brokenAnswers: readonly BrokenStore[] = [
  {
    ...broken(
      'S12',
      'never answers a touch that finds nothing',
      class extends ReferenceStore {
        override async touch(key: string, expiresAt: number): Promise<boolean> {
          const touched = await super.touch(key, expiresAt)
          // One key is enough, each costs the whole time limit.
          return touched || key !== keyOf('not there') ? touched : new Promise(() => {})
        }
      },
    ),
    options: { limit: 100 },
  },
  broken(
    'S12',
    'gives out the object it keeps',
    class extends ReferenceStore {
      readonly #kept = new Map<string, Row>()
      override async load(key: string): Promise<Stored | undefined> {
        await this.place.trip()
        const row = this.live(key)
        if (!row) return undefined
        const kept = this.#kept.get(key)
        if (kept?.text === row.text && kept.expiresAt === row.expiresAt) return kept
        this.#kept.set(key, row)
        return row
      }
      override live(key: string): Row | undefined {
        const row = super.live(key)
        const kept = this.#kept.get(key)
        return row && kept?.text.includes('spoiled') ? kept : row
      }
    },
  ),
  broken(
    'S12',
    'keeps the entry it was given',
    class extends ReferenceStore {
      readonly #given = new Map<string, Entry>()
      override put(key: string, entry: Entry): void {
        super.put(key, entry)
        this.#given.set(key, entry)
      }
      override live(key: string): Row | undefined {
        const [row, given] = [super.live(key), this.#given.get(key)]
        return row && given?.text.includes('spoiled') ? (given as Row) : row
      }
    },
  ),
  broken(
    'S12',
    'marks the object it was handed back',
    class extends ReferenceStore {
      override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
        const result = await super.replace(key, entry, seen)
        if (result === 'replaced') Object.assign(seen, { text: entry.text })
        return result
      }
    },
    // A second replace with the same object finds it changed.
    ['S4', 'S22'],
  ),
  broken(
    'S12',
    'calls back twice',
    class extends ReferenceStore {
      override touch(key: string, expiresAt: number): Promise<boolean> {
        const answer = super.touch(key, expiresAt)
        const twice: PromiseLike<boolean> = {
          // biome-ignore lint/suspicious/noThenProperty: the defect is a thenable that settles twice
          then: (resolve, reject) => {
            void answer.then(resolve, reject)
            return answer.then(resolve, reject)
          },
        }
        return twice as Promise<boolean>
      }
    },
  ),
  broken(
    'S13',
    'tries again on a miss',
    class extends ReferenceStore {
      override async load(key: string): Promise<Stored | undefined> {
        return (await super.load(key)) ?? (await super.load(key)) ?? super.load(key)
      }
    },
  ),
  {
    ...broken(
      'S13',
      'waits before it tries again on a miss',
      class extends ReferenceStore {
        override async load(key: string): Promise<Stored | undefined> {
          const stored = await super.load(key)
          if (stored || key !== keyOf('unknown')) return stored
          await new Promise<void>((resolve) => this.clock.setTimeout(resolve, 50))
          return super.load(key)
        }
      },
    ),
    options: { limit: 100 },
  },
  broken(
    'S14',
    'takes keys for paths',
    keyed((key) => posix.resolve('/', key).slice(1)),
  ),
  broken(
    'S14',
    'ends keys at NUL',
    keyed((key) => key.split('\0')[0] ?? ''),
  ),
  broken(
    'S14',
    'folds the case of keys',
    class extends keyed((key) => (key.length === 43 ? key : key.toLowerCase())) {},
    ['S22'],
  ),
  broken(
    'S14',
    'cuts keys at 255 characters',
    keyed((key) => key.slice(0, 255)),
  ),
  broken(
    'S14',
    'trims keys',
    keyed((key) => key.trimEnd()),
  ),
  broken(
    'S14',
    'takes keys for patterns when it destroys',
    class extends ReferenceStore {
      override async destroy(key: string): Promise<boolean> {
        if (/^[^*]*\*$/.test(key)) {
          const start = key.slice(0, -1)
          for (const other of this.keys()) if (other.startsWith(start)) await super.destroy(other)
          return true
        }
        return super.destroy(key)
      }
    },
  ),
  broken(
    'S14',
    'throws an error of its driver on a long key',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        if (key.length > 1000) throw new RangeError('Data too long for column')
        return super.create(key, entry)
      }
    },
  ),
  broken(
    'S14',
    'finds records under the names of an object',
    class extends ReferenceStore {
      override async load(key: string): Promise<Stored | undefined> {
        if (key in {}) return { text: 'inherited', expiresAt: this.clock.now() + 1 }
        return super.load(key)
      }
    },
  ),
  broken(
    'S14',
    'refuses a key on create and serves it otherwise',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        const created = await super.create(key, entry)
        if (key === '') throw new CoatcheckError('ERR_STORE', 'refused too late')
        return created
      }
    },
  ),
  broken(
    'S15',
    'fills an empty object',
    texted((text) => (text === '{}' ? '{"n":1}' : text)),
    'most',
  ),
  ...TEXT_DAMAGES.map(([defect, change]) => broken('S15', defect, texted(change))),
  {
    ...broken(
      'S12',
      'drops what is more than its queue takes',
      class extends ReferenceStore {
        #running = 0
        override async load(key: string): Promise<Stored | undefined> {
          if (this.#running === 150) return new Promise(() => {})
          this.#running++
          const stored = await super.load(key)
          this.#running--
          return stored
        }
      },
    ),
    options: { limit: 100 },
  },
  broken(
    'S15',
    'refuses texts that it has promised to take',
    class extends ReferenceStore {
      override put(key: string, entry: Entry): void {
        if (entry.text.length > 20_000)
          throw new CoatcheckError('ERR_RECORD_TOO_LARGE', 'too large')
        super.put(key, entry)
      }
    },
  ),
  broken(
    'S15',
    'throws an error of its driver on a large text',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        if (entry.text.length > 1024 * 1024) throw new RangeError('packet too large')
        return super.create(key, entry)
      }
    },
  ),
  broken(
    'S15',
    'refuses a large replace after it has dropped the record',
    class extends ReferenceStore {
      override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
        if (entry.text.length <= 1024 * 1024) return super.replace(key, entry, seen)
        await this.destroy(key)
        throw new CoatcheckError('ERR_RECORD_TOO_LARGE', 'too large')
      }
    },
  ),
]
