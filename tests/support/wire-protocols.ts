/**
 * How a client and a server take turns, as far as a proxy between them has to know: where a command
 * ends, what it is called, and where an answer ends. `bytes` knows nothing and takes what arrives
 * together for one; it fits every protocol.
 *
 * Memcached's quiet commands (the flag `q`, `noreply`) have no answer of their own, and are taken
 * for commands that get none.
 */
export interface Protocol {
  readonly commands: () => Framer<Command>
  readonly answers: () => Framer<Answer>
}

/** Takes pieces as they come, and gives what is complete. */
export type Framer<T> = (piece: Buffer) => T[]

export interface Command {
  /** In capitals, and `EVALSHA` with the hash; undefined where the protocol is not known. */
  readonly name: string | undefined
  readonly bytes: Buffer
  readonly isAnswered: boolean
}

export interface Answer {
  readonly bytes: Buffer
  /** It answers no command: a message that the server has pushed. */
  readonly isPushed: boolean
}

export type ProtocolName = 'resp' | 'memcached' | 'bytes'

export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  resp: {
    commands: () => framed(respLength, (bytes) => ({ ...commandOf(bytes), isAnswered: true })),
    answers: () => framed(respLength, (bytes) => ({ bytes, isPushed: bytes[0] === code('>') })),
  },
  memcached: {
    commands: () => framed(requestLength, memcachedCommand),
    answers: () => framed(replyLength, (bytes) => ({ bytes, isPushed: false })),
  },
  bytes: {
    commands: () => (bytes) => [{ name: undefined, bytes, isAnswered: true }],
    answers: () => (bytes) => [{ bytes, isPushed: false }],
  },
}

/** Where what begins at `from` ends; undefined: not all of it is there. */
type LengthOf = (bytes: Buffer, from: number) => number | undefined

function framed<T>(endOf: LengthOf, made: (bytes: Buffer) => T): Framer<T> {
  let rest: Buffer = Buffer.alloc(0)
  return (piece) => {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    const found: T[] = []
    let from = 0
    while (from < rest.length) {
      const end = endOf(rest, from)
      if (end === undefined) break
      found.push(made(rest.subarray(from, end)))
      from = end
    }
    rest = rest.subarray(from)
    return found
  }
}

/** The line that begins at `from`, without its end, and where the next one begins. */
function lineAt(bytes: Buffer, from: number): { line: string; next: number } | undefined {
  const end = bytes.indexOf('\r\n', from, 'latin1')
  return end === -1 ? undefined : { line: bytes.toString('latin1', from, end), next: end + 2 }
}

function code(letter: string): number {
  return letter.charCodeAt(0)
}

/** Redis serialization protocol, versions 2 and 3; an inline command is one line. */
function respLength(bytes: Buffer, from: number): number | undefined {
  const head = lineAt(bytes, from)
  if (head === undefined) return undefined
  const [type, count] = [head.line[0] ?? '', Number(head.line.slice(1))]
  if ('$!='.includes(type)) {
    const end = count < 0 ? head.next : head.next + count + 2
    return end <= bytes.length ? end : undefined
  }
  if (!'*~>%|'.includes(type)) return head.next
  // Maps and attributes have two members each; an attribute stands before what it belongs to.
  const members = count * ('%|'.includes(type) ? 2 : 1) + (type === '|' ? 1 : 0)
  let end: number | undefined = head.next
  for (let left = members; left > 0 && end !== undefined; left--) end = respLength(bytes, end)
  return end
}

function commandOf(bytes: Buffer): { name: string | undefined; bytes: Buffer } {
  const [, , word, , script] = bytes.toString('latin1', 0, 128).split('\r\n', 5)
  const name = word?.toUpperCase()
  return { name: name === 'EVALSHA' ? `${name} ${script}` : name, bytes }
}

/** Commands with data behind them, and which of their words is its length. */
const SIZES: Readonly<Record<string, number>> = {
  set: 4,
  add: 4,
  replace: 4,
  append: 4,
  prepend: 4,
  cas: 4,
  ms: 2,
}

function requestLength(bytes: Buffer, from: number): number | undefined {
  const head = lineAt(bytes, from)
  if (head === undefined) return undefined
  const words = head.line.split(' ')
  const size = SIZES[words[0] ?? '']
  const end = size === undefined ? head.next : head.next + Number(words[size]) + 2
  return end <= bytes.length ? end : undefined
}

function memcachedCommand(bytes: Buffer): Command {
  const { line } = lineAt(bytes, 0)!
  const [name = '', , ...flags] = line.split(' ')
  const isMeta = /^m[a-z]$/.test(name)
  const isQuiet = isMeta ? flags.includes('q') : flags.at(-1) === 'noreply'
  return { name: name.toUpperCase(), bytes, isAnswered: !isQuiet }
}

function replyLength(bytes: Buffer, from: number): number | undefined {
  const head = lineAt(bytes, from)
  if (head === undefined) return undefined
  const words = head.line.split(' ')
  const size = words[0] === 'VA' ? words[1] : words[0] === 'VALUE' ? words[3] : undefined
  const end = size === undefined ? head.next : head.next + Number(size) + 2
  if (end > bytes.length) return undefined
  // Lists go on until their END.
  return words[0] === 'VALUE' || words[0] === 'STAT' ? replyLength(bytes, end) : end
}
