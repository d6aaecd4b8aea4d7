/**
 * A TCP proxy on 127.0.0.1 between a client under test and its server, which makes trouble on
 * demand, and counts what goes over it (`wire`).
 *
 *   const proxy = await faultProxy(server, { protocol: 'resp' })
 *   const client = createClient({ url: `redis://127.0.0.1:${proxy.port}` })
 *
 *   proxy.delay(20)                      each direction 20 ms
 *   proxy.blackHole()                    connections stay, new ones are accepted, nothing passes
 *   await proxy.refuse()                 connections break, the port is closed
 *   await proxy.pass()                   all of that is over; what lay in a black hole arrives now
 *   await proxy.pass({ lost: true })     the same, but it is lost, and its connections break
 *   proxy.cut(7, { to: 'GET' })          7 bytes of the next answer to a GET, and then a reset
 *   proxy.answer('-LOADING\r\n')         the next command does not get to the server
 *   const held = proxy.hold({ to: 'PEXPIREAT' })
 *   await held.reached                   such an answer is there, and kept back
 *   held.release()                       it goes on, with all behind it
 *   proxy.hold({ phase: 2 })             the answers to what is sent after an answer, from now on
 *   await proxy.stop()
 *
 * Modes (`delay`, `blackHole`, `refuse`) replace each other. Rules (`cut`, `answer`, `hold`) are for
 * commands by name, any by default; with the protocol `bytes` whatever arrives together is one.
 * `cut` and `answer` wear off after one command, or `times`; `pass` ends them all.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { type Behaviour, Connection } from './fault-connection.js'
import { freePort } from './ports.js'
import { gate } from './turns.js'
import { Wire } from './wire.js'
import { PROTOCOLS, type ProtocolName } from './wire-protocols.js'

/** For which commands a rule is, and how often. */
export interface Aim {
  readonly to?: string | readonly string[]
  readonly times?: number
}

/** Answers that are kept back. */
export interface HeldAnswers {
  /** The first one is there. */
  readonly reached: Promise<void>
  release(): void
}

export interface FaultProxy {
  readonly host: '127.0.0.1'
  readonly port: number
  readonly wire: Wire
  /** How many connections are open. */
  readonly connections: number
  pass(options?: { lost?: boolean }): Promise<void>
  delay(ms: number): void
  blackHole(): void
  refuse(): Promise<void>
  cut(bytes: number, aim?: Aim): void
  answer(text: string, aim?: Aim): void
  hold(aim?: Pick<Aim, 'to'> & { readonly phase?: number }): HeldAnswers
  /** Breaks the connections there are; new ones are as before. */
  reset(): void
  stop(): Promise<void>
}

export async function faultProxy(
  server: { readonly port: number },
  { protocol = 'bytes' }: { protocol?: ProtocolName } = {},
): Promise<FaultProxy> {
  const wire = new Wire()
  const connections = new Set<Connection>()
  const behaviour: Behaviour = {
    protocol: PROTOCOLS[protocol],
    isFramed: protocol !== 'bytes',
    target: () => server.port,
    wire,
    delay: 0,
    hole: undefined,
    rules: [],
    holds: [],
  }
  let endHole = () => {}
  let listening: Server | undefined

  const take = (socket: Socket) => {
    const connection = new Connection(socket, behaviour)
    connections.add(connection)
    connection.ended.then(() => connections.delete(connection))
  }
  const reset = () => {
    for (const connection of [...connections]) connection.reset()
  }
  const close = async () => {
    const closing = listening
    listening = undefined
    const closed = new Promise<void>((resolve) => {
      if (closing) closing.close(() => resolve())
      else resolve()
    })
    reset()
    await closed
  }
  const clear = () => {
    behaviour.delay = 0
    behaviour.hole = undefined
    endHole()
    endHole = () => {}
  }
  const aimed = ({ to, times = 1 }: Aim) => {
    if (to !== undefined && protocol === 'bytes') {
      throw new Error('The protocol `bytes` has no commands with names.')
    }
    const names = typeof to === 'string' ? [to] : to
    return { fits: (name?: string) => !names || names.includes(name ?? ''), times }
  }

  const port = await freePort()
  listening = await listen(port, take)
  return {
    host: '127.0.0.1',
    port,
    wire,
    get connections() {
      return [...connections].filter(({ isOpen }) => isOpen).length
    },
    async pass({ lost = false } = {}) {
      if (lost) reset()
      clear()
      behaviour.rules.splice(0)
      for (const { release } of behaviour.holds.splice(0)) release()
      listening ??= await listen(port, take)
    },
    delay(ms) {
      clear()
      behaviour.delay = ms
    },
    blackHole() {
      clear()
      const { opened, open } = gate()
      behaviour.hole = opened
      endHole = open
    },
    async refuse() {
      await close()
      clear()
    },
    cut(bytes, aim = {}) {
      behaviour.rules.push({ kind: 'cut', bytes, ...aimed(aim) })
    },
    answer(text, aim = {}) {
      behaviour.rules.push({ kind: 'answer', text, ...aimed(aim) })
    },
    hold(aim = {}) {
      const [reached, released] = [gate(), gate()]
      const fromPhase = aim.phase === undefined ? 0 : wire.phasesFromNow(aim.phase)
      const { fits } = aimed(aim)
      const held = {
        fits: (name?: string) => wire.phases >= fromPhase && fits(name),
        reach: reached.open,
        released: released.opened,
        release: released.open,
      }
      behaviour.holds.push(held)
      const release = () => {
        if (behaviour.holds.includes(held)) behaviour.holds.splice(behaviour.holds.indexOf(held), 1)
        released.open()
      }
      return { reached: reached.opened, release }
    },
    reset,
    async stop() {
      await close()
      clear()
    },
  }
}

async function listen(port: number, take: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, take)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return server
}
