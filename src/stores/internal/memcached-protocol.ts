import type { Replaced } from '../../core/store.js'
import { type Answer, Garbled } from './memcached-answers.js'
import type { Commands, Item } from './memcached-commands.js'
import { type Connection, MORE } from './memcached-connection.js'

/** The number of an `mg`, which its answer repeats. */
const LARGEST_OPAQUE = 1_000_000

/**
 * The commands on a connection. Reading is a meta command, which tells the cas id and the remaining
 * life in one answer; a server before 1.6 has none, and tells no life.
 *
 * Writing is not. `ms` with a cas id that the server has no room for (`too large`, `out of memory`)
 * removes the item that was to be replaced; `cas` leaves it as it was.
 */
export class ProtocolCommands implements Commands {
  readonly tellsLife: boolean
  readonly #connection: Connection
  #opaque = 0

  constructor(connection: Connection, hasMeta: boolean) {
    this.#connection = connection
    this.tellsLife = hasMeta
  }

  get(key: string): Promise<Item | undefined> {
    return this.tellsLife ? this.#metaGet(key) : this.#gets(key)
  }

  async add(key: string, value: string, flags: number, exptime: number): Promise<boolean> {
    return (await this.#store('add', key, value, `${flags} ${exptime}`)) === 'STORED'
  }

  async cas(
    key: string,
    value: string,
    flags: number,
    exptime: number,
    cas: string,
  ): Promise<Replaced> {
    const word = await this.#store('cas', key, value, `${flags} ${exptime}`, ` ${cas}`)
    if (word === 'NOT_FOUND') return 'gone'
    return word === 'STORED' ? 'replaced' : 'changed'
  }

  async append(key: string, value: string): Promise<boolean> {
    return (await this.#store('append', key, value, '0 0')) === 'STORED'
  }

  async touch(key: string, exptime: number): Promise<boolean> {
    return (await this.#ask(`touch ${key} ${exptime}`, ['TOUCHED', 'NOT_FOUND'])) === 'TOUCHED'
  }

  async remove(key: string): Promise<boolean> {
    return (await this.#ask(`delete ${key}`, ['DELETED', 'NOT_FOUND'])) === 'DELETED'
  }

  #metaGet(key: string): Promise<Item | undefined> {
    this.#opaque = (this.#opaque + 1) % LARGEST_OPAQUE
    const opaque = String(this.#opaque)
    return this.#connection.send(`mg ${key} v c t O${opaque}\r\n`, (answer) => {
      const { words, data } = answer
      if (words[0] === 'EN') return undefined
      const flags = new Map(words.slice(2).map((word) => [word[0], word.slice(1)]))
      if (words[0] !== 'VA' || data === undefined || flags.get('O') !== opaque) {
        throw unexpected(answer)
      }
      return { value: data.toString(), ...countsIn(flags.get('c'), flags.get('t')) }
    })
  }

  #gets(key: string): Promise<Item | undefined> {
    let found: Item | undefined
    return this.#connection.send(`gets ${key}\r\n`, (answer) => {
      const { words, data } = answer
      if (words[0] === 'END') return found
      if (words[0] !== 'VALUE' || words[1] !== nameOnWire(key) || data === undefined) {
        throw unexpected(answer)
      }
      found = { value: data.toString(), cas: countsIn(words[4], '0').cas, life: undefined }
      return MORE
    })
  }

  #store(command: string, key: string, value: string, numbers: string, cas = ''): Promise<string> {
    const data = Buffer.from(value)
    const head = Buffer.from(`${command} ${key} ${numbers} ${data.length}${cas}\r\n`)
    return this.#ask(Buffer.concat([head, data]), ['STORED', 'NOT_STORED', 'EXISTS', 'NOT_FOUND'])
  }

  #ask(command: string | Buffer, answers: readonly string[]): Promise<string> {
    const end = Buffer.from('\r\n')
    const bytes = Buffer.concat([Buffer.from(command), end])
    return this.#connection.send(bytes, (answer) => {
      const word = answer.words[0] ?? ''
      if (!answers.includes(word)) throw unexpected(answer)
      return word
    })
  }
}

/** The lines of answers are read byte by byte. */
function nameOnWire(key: string): string {
  return Buffer.from(key).toString('latin1')
}

function countsIn(
  cas: string | undefined,
  life: string | undefined,
): { cas: string; life: number } {
  if (cas === undefined || !/^\d+$/.test(cas)) throw new Garbled('no cas id')
  if (life === undefined || !/^-?\d+$/.test(life)) throw new Garbled('no remaining life')
  return { cas, life: Number(life) }
}

function unexpected({ words }: Answer): Error {
  // One word of the protocol tells nothing of anybody.
  return new Garbled(`the unexpected answer ${/^[A-Z_]{1,16}$/.exec(words[0] ?? '')?.[0] ?? ''}`)
}
