/**
 * A server that speaks as much of memcached's protocol as the store does, with a clock that a test
 * moves and with answers that a test spoils. What the real one does is proven on the real one.
 *
 *   const server = await fakeMemcached({ now: () => clock.now(), meta: false })
 *   new MemcachedStore({ servers: server.url })
 *   server.fall()              nothing is answered any more
 *   server.speak()             what was asked meanwhile is answered
 *   server.instead = (line) => line.startsWith('mg') ? 'VA 9' : undefined
 *   server.asked               the first lines of all commands
 */

import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

interface Kept {
  value: Buffer
  flags: string
  cas: number
  /** In s; Infinity: never. */
  end: number
}

export interface FakeOptions {
  now?: () => number
  /** Whether it is of version 1.6 or later. @default true */
  meta?: boolean
  /** What it asks for first, as `name password`. */
  auth?: string
  /** The largest value it takes, in bytes. @default 1_000_000 */
  largest?: number
}

export type FakeMemcached = Awaited<ReturnType<typeof startFake>>

/** Ends with the test. */
export async function fakeMemcached(options: FakeOptions = {}): Promise<FakeMemcached> {
  const fake = await startFake(options)
  onTestFinished(() => fake.stop())
  return fake
}

export async function startFake(options: FakeOptions = {}) {
  const { now = Date.now, meta = true, auth, largest = 1_000_000 } = options
  const items = new Map<string, Kept>()
  const sockets = new Set<Socket>()
  let cas = 0
  let isSilent = false
  let unsaid: (() => void)[] = []

  // Its clock ticks between the seconds of the test's.
  const seconds = () => Math.floor((now() + 400) / 1000)
  const endOf = (word: string | undefined) => {
    const exptime = Number(word)
    if (exptime === 0) return Number.POSITIVE_INFINITY
    if (exptime < 0 || exptime >= 2 ** 31) return 0
    return exptime > 2_592_000 ? exptime : seconds() + exptime
  }
  const live = (key: string) => {
    const kept = items.get(key)
    if (kept !== undefined && kept.end <= seconds()) items.delete(key)
    return items.get(key)
  }
  const put = (key: string, value: Buffer, flags: string, end: number) => {
    items.set(key, { value, flags, cas: ++cas, end })
    return 'STORED'
  }

  const answerTo = (words: string[], data: Buffer): Buffer | string => {
    const [command, key = '', flags = '', exptime, , id] = words
    if (/^m[a-z]$/.test(command ?? '') && !meta) return 'ERROR'
    if (key.length > 250) return 'CLIENT_ERROR bad command line format'
    if (data.length > largest) return 'SERVER_ERROR object too large for cache'
    const found = live(key)
    switch (command) {
      case 'mn':
        return 'MN'
      case 'mg': {
        if (found === undefined) return 'EN'
        const left = found.end === Number.POSITIVE_INFINITY ? -1 : found.end - seconds()
        const opaque = words.slice(2).find((word) => word.startsWith('O'))
        const head = `VA ${found.value.length} c${found.cas} t${left} ${opaque}\r\n`
        return Buffer.concat([Buffer.from(head), found.value])
      }
      case 'gets': {
        if (found === undefined) return 'END'
        const head = `VALUE ${key} ${found.flags} ${found.value.length} ${found.cas}\r\n`
        return Buffer.concat([Buffer.from(head, 'latin1'), found.value, Buffer.from('\r\nEND')])
      }
      case 'set':
        return put(key, data, flags, endOf(exptime))
      case 'add':
        return found ? 'NOT_STORED' : put(key, data, flags, endOf(exptime))
      case 'cas':
        if (found === undefined) return 'NOT_FOUND'
        return String(found.cas) === id ? put(key, data, flags, endOf(exptime)) : 'EXISTS'
      case 'append':
        // The answer to what would make an item too large (do_store_item in memcached.c).
        if (found === undefined || found.value.length + data.length > largest) return 'NOT_STORED'
        return put(key, Buffer.concat([found.value, data]), found.flags, found.end)
      case 'touch':
        if (found === undefined) return 'NOT_FOUND'
        found.end = endOf(words[2])
        return 'TOUCHED'
      case 'delete':
        return items.delete(key) ? 'DELETED' : 'NOT_FOUND'
      default:
        return 'ERROR'
    }
  }

  const fake = {
    url: '',
    port: 0,
    items,
    asked: [] as string[],
    instead: (_line: string): string | undefined => undefined,
    get connections() {
      return sockets.size
    },
    fall() {
      isSilent = true
    },
    speak() {
      isSilent = false
      for (const say of unsaid.splice(0)) say()
    },
    /** Drops the connections there are. */
    reset() {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    async refuse() {
      fake.reset()
      await new Promise((resolve) => server.close(resolve))
    },
    async listen() {
      await new Promise<void>((resolve) => void server.listen(fake.port, '127.0.0.1', resolve))
      fake.port = (server.address() as AddressInfo).port
      fake.url = `127.0.0.1:${fake.port}`
    },
    async stop() {
      unsaid = []
      if (server.listening) await fake.refuse()
    },
  }

  const server = createServer({ noDelay: true }, (socket) => {
    let rest = Buffer.alloc(0)
    let isIn = auth === undefined
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (piece: Buffer) => {
      rest = Buffer.concat([rest, piece])
      for (;;) {
        const end = rest.indexOf('\r\n')
        if (end === -1) return
        const line = rest.toString('latin1', 0, end)
        const words = line.split(' ')
        const size = /^(?:set|add|cas|append)$/.test(words[0] ?? '') ? Number(words[4]) : undefined
        const next = end + 2 + (size === undefined ? 0 : size + 2)
        if (rest.length < next) return
        const data = rest.subarray(end + 2, Math.max(end + 2, next - 2))
        rest = rest.subarray(next)
        fake.asked.push(line)
        let answer: Buffer | string | undefined = fake.instead(line)
        if (answer === undefined && !isIn) {
          isIn = words[0] === 'set' && data.toString() === auth
          answer = isIn ? 'STORED' : 'CLIENT_ERROR authentication failure'
        }
        answer ??= answerTo(words, Buffer.from(data))
        const said = Buffer.concat([Buffer.from(answer), Buffer.from('\r\n')])
        const say = () => void socket.write(said)
        if (isSilent) unsaid.push(say)
        else say()
      }
    })
  })
  await fake.listen()
  return fake
}
