import type { Entry, Replaced, Stored } from '../../../src/core/store.js'
import { ThinRedisStore, thinKind } from './thin-redis-store.js'

/** Stores with one defect each, which the suites have to find. */

class AsksTwice extends ThinRedisStore {
  override async load(key: string): Promise<Stored | undefined> {
    const text = await this.client.get(this.name(key))
    const life = await this.client.pTTL(this.name(key))
    return text === null ? undefined : { text, expiresAt: Date.now() + life }
  }
}

class LooksBeforeItCreates extends ThinRedisStore {
  override async create(key: string, entry: Entry): Promise<boolean> {
    if ((await this.client.exists(this.name(key))) === 1) return false
    return super.create(key, entry)
  }
}

class TouchesAtOnce extends ThinRedisStore {
  override async load(key: string): Promise<Stored | undefined> {
    const found = await super.load(key)
    if (found) await this.client.pExpire(this.name(key), this.life(found.expiresAt))
    return found
  }
}

class TakesFailuresForMisses extends ThinRedisStore {
  override async load(key: string): Promise<Stored | undefined> {
    return super.load(key).catch(() => undefined)
  }
}

class TakesFailuresForSuccess extends ThinRedisStore {
  override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    return super.replace(key, entry, seen).catch(() => 'replaced')
  }

  override async touch(key: string, expiresAt: number): Promise<boolean> {
    return super.touch(key, expiresAt).catch(() => true)
  }
}

class ForgetsAPromise extends ThinRedisStore {
  override async load(key: string): Promise<Stored | undefined> {
    this.client.get(`${this.name(key)}:mark`)
    return super.load(key)
  }
}

class NeverComesBack extends ThinRedisStore {
  #isLost = false

  override async load(key: string): Promise<Stored | undefined> {
    if (this.#isLost) return new Promise(() => {})
    try {
      return await super.load(key)
    } catch (error) {
      this.#isLost = true
      throw error
    }
  }
}

class Upserts extends ThinRedisStore {
  override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    const result = await super.replace(key, entry, seen)
    if (result !== 'gone') return result
    await this.create(key, entry)
    return 'replaced'
  }
}

class LooksAndThenWrites extends ThinRedisStore {
  override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    const found = await this.client.get(this.name(key))
    if (found === null) return 'gone'
    if (found !== seen.text) return 'changed'
    const expiration = { type: 'PX', value: this.life(entry.expiresAt) } as const
    const done = await this.client.set(this.name(key), entry.text, { condition: 'XX', expiration })
    return done === null ? 'gone' : 'replaced'
  }
}

const broken = (exported: string, Kind: typeof ThinRedisStore) =>
  thinKind(exported, Kind, { module: import.meta.url, name: exported })

export const asksTwice = broken('asksTwice', AsksTwice)
export const looksBeforeItCreates = broken('looksBeforeItCreates', LooksBeforeItCreates)
export const touchesAtOnce = broken('touchesAtOnce', TouchesAtOnce)
export const takesFailuresForMisses = broken('takesFailuresForMisses', TakesFailuresForMisses)
export const takesFailuresForSuccess = broken('takesFailuresForSuccess', TakesFailuresForSuccess)
export const forgetsAPromise = broken('forgetsAPromise', ForgetsAPromise)
export const neverComesBack = broken('neverComesBack', NeverComesBack)
export const upserts = broken('upserts', Upserts)
export const looksAndThenWrites = broken('looksAndThenWrites', LooksAndThenWrites)
