import { connect as connectTcp, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { CoatcheckError } from '../../errors.js'
import { Garbled } from './memcached-answers.js'
import type { Commands } from './memcached-commands.js'
import { Connection } from './memcached-connection.js'
import { closed, itemError, silent } from './memcached-errors.js'
import { ProtocolCommands } from './memcached-protocol.js'

/** Where a server is, and how to come in. */
export interface ServerSettings {
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string }
  readonly tls: ConnectionOptions | undefined
  readonly credentials: { readonly username: string; readonly password: string } | undefined
  /** How long a connection or an answer may take, in ms. */
  readonly timeout: number
}

/** After a failure the next connection is tried so many ms later, twice as many after the next. */
const FIRST_PAUSE = 50
const LONGEST_PAUSE = 2000

/**
 * One server and the connection to it, which is made when it is first needed and again when it is
 * needed after it was lost. Between failing attempts commands fail at once.
 */
export class Server {
  readonly #settings: ServerSettings
  #commands: Promise<Commands> | undefined
  #connection: Connection | undefined
  #failures = 0
  #lastFailure: unknown
  #pausedUntil = 0
  #isClosed = false

  constructor(settings: ServerSettings) {
    this.#settings = settings
  }

  commands(): Promise<Commands> {
    if (this.#isClosed) return Promise.reject(closed())
    if (this.#commands !== undefined) return this.#commands
    if (performance.now() < this.#pausedUntil) {
      return Promise.reject(itemError('the server cannot be reached.', false, this.#lastFailure))
    }
    const attempt = this.#connect()
    this.#commands = attempt
    attempt.then(
      () => {
        this.#failures = 0
      },
      (error: unknown) => {
        this.#commands = undefined
        this.#lastFailure = error
        const pause = Math.min(FIRST_PAUSE * 2 ** this.#failures++, LONGEST_PAUSE)
        // Half of it at random, so that processes which lost a server together do not return so.
        this.#pausedUntil = performance.now() + pause * (0.5 + Math.random() / 2)
      },
    )
    return attempt
  }

  close(): void {
    this.#isClosed = true
    this.#connection?.destroy(closed())
  }

  async #connect(): Promise<Commands> {
    const { timeout, credentials } = this.#settings
    const socket = await this.#open()
    if (this.#isClosed) {
      socket.destroy()
      throw closed()
    }
    const connection = new Connection(socket, timeout, () => {
      if (this.#connection !== connection) return
      this.#connection = undefined
      this.#commands = undefined
    })
    this.#connection = connection
    try {
      if (credentials !== undefined) await authenticate(connection, credentials)
      const hasMeta = await connection.send('mn\r\n', ({ line }) => {
        if (line !== 'MN' && line !== 'ERROR') throw new Garbled('no answer of memcached')
        return line === 'MN'
      })
      return new ProtocolCommands(connection, hasMeta)
    } catch (error) {
      const known = error instanceof CoatcheckError ? error : itemError('no connection.', false)
      connection.destroy(known)
      throw known
    }
  }

  /** A socket that is connected. */
  #open(): Promise<Socket> {
    const { address, tls, timeout } = this.#settings
    return new Promise((resolve, reject) => {
      const socket =
        tls === undefined ? connectTcp(address) : connectTls({ ...tls, ...withName(address, tls) })
      const fail = (error: CoatcheckError) => {
        clearTimeout(timer)
        socket.destroy()
        reject(error)
      }
      const timer = setTimeout(() => fail(silent(timeout, false)), timeout)
      timer.unref()
      const lost = (cause?: Error) => fail(itemError('no connection to the server.', false, cause))
      // Stays: a socket may fail after it was given up.
      socket.on('error', lost)
      socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
        clearTimeout(timer)
        resolve(socket)
      })
    })
  }
}

/** A certificate is for the name that was asked for (RFC 6066, section 3); an IP address is none. */
function withName(address: ServerSettings['address'], tls: ConnectionOptions): ConnectionOptions {
  const isNamed = 'host' in address && !/^[\d.]+$|:/.test(address.host)
  if (!isNamed || tls.servername !== undefined) return address
  return { ...address, servername: address.host }
}

/** Servers started with -Y take a name and a password as the data of a first `set`. */
async function authenticate(
  connection: Connection,
  { username, password }: { username: string; password: string },
): Promise<void> {
  const data = `${username} ${password}`
  const command = `set auth 0 0 ${Buffer.byteLength(data)}\r\n${data}\r\n`
  const isIn = await connection.send(command, ({ words }) => words[0] === 'STORED')
  if (!isIn) throw itemError('the server refused the username or the password.', false)
}
