import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type FaultProxy, faultProxy } from './fault-proxy.js'
import { turns } from './turns.js'
import { type Framer, PROTOCOLS, type ProtocolName } from './wire-protocols.js'

/** A server that answers every command by its name. */
async function namingServer() {
  const got: string[] = []
  const server = createServer((socket) => {
    const commands = PROTOCOLS.resp.commands()
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      for (const { name } of commands(bytes)) {
        got.push(name!)
        socket.write(`$${name!.length}\r\n${name}\r\n`)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { port: (server.address() as AddressInfo).port, got }
}

async function proxied(protocol: ProtocolName = 'resp') {
  const server = await namingServer()
  const proxy = await faultProxy(server, { protocol })
  onTestFinished(() => proxy.stop())
  return { proxy, got: server.got, client: await client(proxy) }
}

async function client({ port }: FaultProxy) {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  let heard = ''
  let error: (Error & { code?: string }) | undefined
  socket.on('error', (met) => {
    error = met
  })
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard += text
  })
  await once(socket, 'connect')
  return {
    socket,
    say: (...names: string[]) => void socket.write(names.map(resp).join('')),
    heard: () => heard,
    error: () => error?.code,
    hears: (text: string) => vi.waitUntil(() => heard.endsWith(text)),
    lost: () => vi.waitUntil(() => socket.destroyed && error !== undefined),
  }
}

const resp = (name: string) => `*2\r\n$${name.length}\r\n${name}\r\n$1\r\nk\r\n`
const named = (name: string) => `$${name.length}\r\n${name}\r\n`

describe('the wire', () => {
  it('counts pipelined commands as one phase, and dependent ones as one each', async () => {
    const { proxy, client } = await proxied()
    const together = await proxy.wire.during(async () => {
      client.say('get', 'pttl')
      await client.hears(named('PTTL'))
    })
    expect(together).toEqual({ phases: 1, commands: ['GET', 'PTTL'] })
    const apart = await proxy.wire.during(async () => {
      client.say('get')
      await client.hears(named('GET'))
      client.say('set')
      await client.hears(named('SET'))
    })
    expect(apart).toEqual({ phases: 2, commands: ['GET', 'SET'] })
  })

  it.each(['resp', 'bytes'] as const)(
    'counts what goes out on several connections at once as one phase of %s',
    async (protocol) => {
      const { proxy, client: first } = await proxied(protocol)
      const second = await client(proxy)
      await vi.waitUntil(() => proxy.connections === 2)
      const { phases } = await proxy.wire.during(async () => {
        first.say('a')
        second.say('b')
        await first.hears(named('A'))
        await second.hears(named('B'))
      })
      expect(phases).toBe(1)
    },
  )

  it('tells when a command has been sent, also into a black hole', async () => {
    const { proxy, client } = await proxied()
    proxy.blackHole()
    const sent = proxy.wire.sent('SET')
    client.say('get', 'set')
    await sent
  })
})

describe('the fault proxy', () => {
  it('swallows in a black hole, and lets it arrive afterwards', async () => {
    const { proxy, client: first, got } = await proxied()
    proxy.blackHole()
    const second = await client(proxy)
    const sent = proxy.wire.sent('LATE')
    first.say('given', 'up')
    first.socket.destroy()
    second.say('late')
    await sent
    await turns()
    expect(got).toEqual([])
    await proxy.pass()
    await second.hears(named('LATE'))
    await vi.waitUntil(() => got.length === 3)
    expect(got.toSorted()).toEqual(['GIVEN', 'LATE', 'UP'])
  })

  it('can lose what lay in a black hole, with the connections', async () => {
    const { proxy, client: first, got } = await proxied()
    proxy.blackHole()
    const sent = proxy.wire.sent('LOST')
    first.say('lost')
    await sent
    await proxy.pass({ lost: true })
    await first.lost()
    const second = await client(proxy)
    second.say('next')
    await second.hears(named('NEXT'))
    expect(got).toEqual(['NEXT'])
  })

  it('refuses, and takes connections again on the same port', async () => {
    const { proxy, client: first } = await proxied()
    await proxy.refuse()
    await first.lost()
    await expect(client(proxy)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await proxy.pass()
    const second = await client(proxy)
    second.say('again')
    await second.hears(named('AGAIN'))
  })

  it('cuts an answer in its middle and resets', async () => {
    const { proxy, client, got } = await proxied()
    proxy.cut(6, { to: 'SET' })
    client.say('get', 'set')
    await client.lost()
    expect(client.heard()).toBe(`${named('GET')}${named('SET').slice(0, 6)}`)
    expect(client.error()).toBe('ECONNRESET')
    expect(got).toEqual(['GET', 'SET'])
  })

  it('answers in place of the server, in the order of the commands', async () => {
    const { proxy, client, got } = await proxied()
    proxy.answer('-OOM no\r\n', { to: ['SET', 'ZADD'], times: 2 })
    client.say('get', 'zadd', 'set', 'get', 'set')
    await client.hears(named('SET'))
    expect(client.heard()).toBe(
      [named('GET'), '-OOM no\r\n-OOM no\r\n', named('GET'), named('SET')].join(''),
    )
    expect(got).toEqual(['GET', 'GET', 'SET'])
  })

  it('holds the answers to a command, and those behind it, until they are released', async () => {
    const { proxy, client, got } = await proxied()
    const held = proxy.hold({ to: 'TOUCH' })
    client.say('get', 'touch', 'after')
    await held.reached
    await turns()
    expect(client.heard()).toBe(named('GET'))
    expect(got).toEqual(['GET', 'TOUCH', 'AFTER'])
    held.release()
    await client.hears(named('AFTER'))
    client.say('touch')
    await client.hears(named('TOUCH'))
  })

  it('holds the answers to what a client sends after an answer', async () => {
    const { proxy, client } = await proxied('bytes')
    const held = proxy.hold({ phase: 2 })
    client.say('first')
    await client.hears(named('FIRST'))
    client.say('second')
    await held.reached
    expect(client.heard()).toBe(named('FIRST'))
    held.release()
    await client.hears(named('SECOND'))
  })

  it('delays both directions, and keeps the order', async () => {
    const { proxy, client } = await proxied()
    proxy.delay(2)
    client.say('a')
    client.say('b')
    await client.hears(named('B'))
    expect(client.heard()).toBe(`${named('A')}${named('B')}`)
  })

  it('breaks the connection when the server does', async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => void sockets.push(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const proxy = await faultProxy(server.address() as AddressInfo)
    onTestFinished(() => proxy.stop())
    const { lost } = await client(proxy)
    await vi.waitUntil(() => sockets.length === 1)
    sockets[0]!.resetAndDestroy()
    await lost()
  })
})

describe('commands and answers are told apart', () => {
  const cases: [ProtocolName, 'commands' | 'answers', string, string[]][] = [
    ['resp', 'commands', `${resp('get')}PING\r\n`, [resp('get'), 'PING\r\n']],
    [
      'resp',
      'answers',
      '+OK\r\n$-1\r\n*2\r\n:1\r\n$2\r\nab\r\n%1\r\n+a\r\n*0\r\n|1\r\n+k\r\n+v\r\n_\r\n,1.5\r\n',
      [
        '+OK\r\n',
        '$-1\r\n',
        '*2\r\n:1\r\n$2\r\nab\r\n',
        '%1\r\n+a\r\n*0\r\n',
        '|1\r\n+k\r\n+v\r\n_\r\n',
        ',1.5\r\n',
      ],
    ],
    [
      'memcached',
      'commands',
      'set k 2 0 4\r\nEND\r\r\nms k 3 T60\r\nabc\r\nmg k v\r\n',
      ['set k 2 0 4\r\nEND\r\r\n', 'ms k 3 T60\r\nabc\r\n', 'mg k v\r\n'],
    ],
    [
      'memcached',
      'answers',
      'HD\r\nVA 2 c1 t-1\r\nab\r\nEN\r\nVALUE k 2 2 1\r\nab\r\nEND\r\nEND\r\nSTORED\r\n',
      [
        'HD\r\n',
        'VA 2 c1 t-1\r\nab\r\n',
        'EN\r\n',
        'VALUE k 2 2 1\r\nab\r\nEND\r\n',
        'END\r\n',
        'STORED\r\n',
      ],
    ],
  ]

  it.each(cases)('%s %s, also letter by letter', (protocol, side, text, expected) => {
    const framer = PROTOCOLS[protocol][side] as () => Framer<{ bytes: Buffer }>
    const whole = framer()(Buffer.from(text))
    expect(whole.map(({ bytes }) => String(bytes))).toEqual(expected)
    const take = framer()
    const letters = [...text].flatMap((letter) => take(Buffer.from(letter)))
    expect(letters.map(({ bytes }) => String(bytes))).toEqual(expected)
  })
})
