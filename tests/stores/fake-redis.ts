import { createHash } from 'node:crypto'
import { type Owner, ownerOf, withoutMark } from '../../src/stores/internal/redis-owner.js'
import { ADD, LOAD, PRUNE, REPLACE, type Script } from '../../src/stores/internal/redis-scripts.js'
import type { RedisClient } from '../../src/stores/redis.js'
import type { FakeClock } from '../../src/testing/index.js'

const PAGES = 8

function pageOf(key: string): number {
  return createHash('sha1').update(key).digest()[0]! % PAGES
}

type Value = string | Map<string, string>
type Reply = unknown

interface Slot {
  value: Value
  /** Infinity: none. */
  ends: number
}

/**
 * As much of a Redis server as `RedisStore` uses, by a clock that stands still. It proves what is
 * sent and what is made of the answers; what a server does by them, the tests on real ones.
 */
export class FakeRedis {
  /** What was sent, in its order, without the sources of scripts. */
  readonly log: string[][] = []
  /** Answers before the server does. */
  intercept: (args: readonly string[]) => Reply | undefined = () => undefined
  readonly #slots = new Map<string, Slot>()
  readonly #scripts = new Set<string>()
  readonly #clock: FakeClock

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  get commands(): string[] {
    return this.log.map(([name]) => name!)
  }

  forgetScripts(): void {
    this.#scripts.clear()
  }

  /** What lies under a key, or undefined. */
  at(key: string): Value | undefined {
    return this.#live(key)?.value
  }

  /** How long it still lies there, in ms. */
  lifeOf(key: string): number {
    return (this.#live(key)?.ends ?? 0) - this.#clock.now()
  }

  put(key: string, value: Value, life = Number.POSITIVE_INFINITY): void {
    this.#slots.set(key, { value, ends: this.#clock.now() + life })
  }

  keys(): string[] {
    return [...this.#slots.keys()].filter((key) => this.#live(key) !== undefined)
  }

  /** Answers a command, after a turn, as drivers do. */
  async send(args: readonly string[]): Promise<Reply> {
    const [name, ...rest] = args
    this.log.push(name === 'EVAL' ? ['EVAL', ...rest.slice(1)] : [...args])
    const instead = this.intercept(args)
    if (instead instanceof Error) throw instead
    const reply = instead === undefined ? this.#run(args) : await instead
    await undefined
    return reply
  }

  #run([name, ...args]: readonly string[]): Reply {
    switch (name) {
      case 'EXISTS':
        return this.#live(args[0]!) ? 1 : 0
      case 'DEL': {
        const was = this.#live(args[0]!)
        this.#slots.delete(args[0]!)
        return was ? 1 : 0
      }
      case 'SET': {
        const [key, value, px, ms, nx] = args
        if (px !== 'PX' || !/^[1-9]\d*$/.test(ms!)) throw new Error('ERR syntax error')
        if (nx === 'NX' && this.#live(key!)) return null
        this.put(key!, value!, Number(ms))
        return 'OK'
      }
      case 'PEXPIRE': {
        const slot = this.#live(args[0]!)
        if (!/^[1-9]\d*$/.test(args[1]!)) throw new Error('ERR value is not an integer')
        if (slot) slot.ends = this.#clock.now() + Number(args[1])
        return slot ? 1 : 0
      }
      case 'GETRANGE':
        return (this.#string(args[0]!) ?? '').slice(Number(args[1]))
      case 'ZSCAN': {
        const set = (this.#live(args[0]!)?.value ?? new Map()) as Map<string, string>
        return ['0', [...set].flat()]
      }
      case 'SCAN': {
        const pattern = args[2]!.replace(/\*$/, '').replace(/\\(.)/g, '$1')
        const names = this.keys().filter((key) => key.startsWith(pattern))
        // A key stays in its page whatever comes and goes.
        const page = Number(args[0])
        const next = page + 1 < PAGES ? page + 1 : 0
        return [String(next), names.filter((key) => pageOf(key) === page)]
      }
      case 'EVAL':
      case 'EVALSHA':
        return this.#runScript(name, args)
    }
    throw new Error(`ERR unknown command '${name}'`)
  }

  #runScript(name: string, [script, , key, ...args]: readonly string[]): Reply {
    const known = [LOAD, REPLACE, ADD, PRUNE].find(({ sha, source }) =>
      [sha, source].includes(script!),
    )
    if (name === 'EVALSHA' && !this.#scripts.has(script!)) {
      throw new Error('NOSCRIPT No matching script. Please use EVAL.')
    }
    this.#scripts.add((known as Script).sha)
    if (known === LOAD) return this.#load(key!)
    if (known === REPLACE) return this.#replace(key!, args)
    const set = (this.#live(key!)?.value ?? new Map()) as Map<string, string>
    if (known === ADD) {
      set.set(args[1]!, args[0]!)
      this.put(key!, set, Math.max(this.lifeOf(key!), Number(args[2])))
      return set.size
    }
    for (let i = 0; i < args.length; i += 2) {
      if (set.get(args[i]!) === args[i + 1]) set.delete(args[i]!)
    }
    if (set.size === 0) this.#slots.delete(key!)
    return 1
  }

  #load(key: string): Reply {
    const text = this.#string(key)
    if (text === undefined) return null
    const { ends } = this.#live(key)!
    return [text, ends === Number.POSITIVE_INFINITY ? -1 : ends - this.#clock.now()]
  }

  #replace(key: string, [sha, text, ms, marked]: readonly string[]): Reply {
    const stored = this.#live(key)?.value
    if (typeof stored !== 'string') return -1
    const compared = marked === undefined ? withoutMark(stored).text : stored
    if (createHash('sha1').update(compared).digest('hex') !== sha) return 0
    if (ms === '0') this.#slots.delete(key)
    else this.put(key, text!, Number(ms))
    return 1
  }

  #string(key: string): string | undefined {
    const value = this.#live(key)?.value
    if (typeof value === 'object') throw new Error('WRONGTYPE Operation against a key')
    return value
  }

  #live(key: string): Slot | undefined {
    const slot = this.#slots.get(key)
    if (slot !== undefined && slot.ends <= this.#clock.now()) this.#slots.delete(key)
    return this.#slots.get(key)
  }
}

const nodeRedis = (server: FakeRedis) => ({
  isOpen: true,
  getEx() {},
  sendCommand: (args: string[]) => server.send(args),
})

const ioRedis = (server: FakeRedis) => ({
  status: 'ready',
  sendCommand() {},
  call: (name: string, args: string[]) => server.send([name, ...args]),
})

/** The faces of the drivers. */
export const faces = {
  nodeRedis,
  nodeRedisPool: (server: FakeRedis) => ({ ...nodeRedis(server), execute() {} }),
  nodeRedisCluster: (server: FakeRedis) => ({
    isOpen: true,
    getEx() {},
    // Two servers with the same keys: what comes twice is given once.
    masters: [0, 1],
    nodeClient: async (_: number) => nodeRedis(server),
    sendCommand(key: string | undefined, isReadonly: boolean | undefined, args: string[]) {
      if (isReadonly !== false || !args.includes(key!)) throw new Error('not for this node')
      return server.send(args)
    },
  }),
  nodeRedisSentinel: (server: FakeRedis) => ({
    isOpen: true,
    getEx() {},
    getMasterNode() {},
    sendCommand(isReadonly: boolean | undefined, args: string[]) {
      if (isReadonly !== false) throw new Error('not for a replica')
      return server.send(args)
    },
  }),
  ioRedis,
  ioRedisCluster: (server: FakeRedis) => ({
    ...ioRedis(server),
    nodes: (_?: 'master') => [ioRedis(server), ioRedis(server)],
  }),
  glide: (server: FakeRedis) => ({
    async customCommand(args: string[]) {
      const reply = await server.send(args)
      return args[0] === 'PEXPIRE' ? reply === 1 : reply
    },
  }),
} satisfies Record<string, (server: FakeRedis) => RedisClient>

/** The key of the set that tells whose records these are. */
export function setOf(user: string, prefix = 'sess-users:'): string {
  return prefix + (ownerOf(user) as Owner).name
}
