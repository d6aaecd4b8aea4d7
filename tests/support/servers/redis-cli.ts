import { connect } from 'node:net'
import { type Framer, PROTOCOLS } from '../wire-protocols.js'
import { programOf } from './server.js'
import type { ServerPlace, ServerProgram } from './server-process.js'

/** A redis-server that keeps nothing on disk, with more arguments. */
export function redisProgram({
  name,
  alsoPort,
  args,
}: {
  name: string
  alsoPort?: number
  args: (place: ServerPlace) => readonly string[]
}): ServerProgram {
  return {
    name,
    ...(alsoPort !== undefined && { alsoPort }),
    command: (place) => [
      programOf('redis-server')!,
      ...['--port', String(place.port), '--bind', '127.0.0.1', '--dir', place.folder],
      ...['--save', '', '--appendonly', 'no', '--protected-mode', 'no'],
      ...args(place),
    ],
    url: (port) => `redis://127.0.0.1:${port}`,
    ready: /Ready to accept connections|\+monitor master/,
  }
}

/** Asks a Redis, or a sentinel, on a connection of its own, past every client under test. */
export function cliOf({
  port,
}: {
  readonly port: number
}): (...words: string[]) => Promise<string> {
  return (...words) =>
    new Promise((resolve, reject) => {
      const framer: Framer<{ bytes: Buffer }> = PROTOCOLS.resp.answers()
      const socket = connect(port, '127.0.0.1', () => {
        const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
        socket.write(`*${words.length}\r\n${parts.join('')}`)
      })
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('The server has closed the connection.')))
      socket.on('data', (piece: Buffer) => {
        const [answer] = framer(piece)
        if (answer === undefined) return
        socket.destroy()
        const text = String(answer.bytes)
        if (text.startsWith('-')) reject(new Error(`${words[0]}: ${text.slice(1).trim()}`))
        else resolve(plain(text))
      })
    })
}

/** A simple or bulk string without its frame; of a list its strings, a line each. */
function plain(text: string): string {
  if (text.startsWith('$')) return text.slice(text.indexOf('\r\n') + 2, -2)
  if (!text.startsWith('*')) return text.slice(1, -2)
  return text
    .split('\r\n')
    .filter((line) => !/^[*$]/.test(line))
    .join('\n')
    .trim()
}
