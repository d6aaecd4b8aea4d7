/** One answer of a server: its first line in words, and the data behind it. */
export interface Answer {
  readonly line: string
  readonly words: readonly string[]
  readonly data: Buffer | undefined
}

/** Longer lines are not of this protocol: a key has 250 bytes at most. */
const LONGEST_LINE = 4096

/** The largest item that a server can be set to (its option -I) is 1 GB; a session is none. */
const LARGEST_DATA = 64 * 1024 * 1024

/** What a server sends is not what its protocol allows; what follows cannot be understood. */
export class Garbled extends Error {}

/** Cuts what a server sends into answers. */
export class Answers {
  #pieces: Buffer[] = []
  #size = 0
  /** How much has to be there before it is worth a look. */
  #wanted = 0

  /** Takes a piece as it came, and gives what is complete. @throws Garbled */
  read(piece: Buffer): Answer[] {
    const found: Answer[] = []
    this.#pieces.push(piece)
    this.#size += piece.length
    if (this.#size < this.#wanted) return found
    let bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces)
    this.#wanted = 0
    for (;;) {
      const end = bytes.indexOf('\r\n')
      if (end === -1 && bytes.length > LONGEST_LINE) throw new Garbled('a line without an end')
      if (end === -1) break
      const line = bytes.toString('latin1', 0, end)
      const words = line.split(' ')
      const size = sizeOf(words)
      const next = end + 2 + (size === undefined ? 0 : size + 2)
      if (bytes.length < next) {
        this.#wanted = next
        break
      }
      const data = size === undefined ? undefined : bytes.subarray(end + 2, next - 2)
      if (data !== undefined && bytes.toString('latin1', next - 2, next) !== '\r\n') {
        throw new Garbled('data of another length than announced')
      }
      bytes = bytes.subarray(next)
      found.push({ line, words, data })
    }
    this.#pieces = bytes.length === 0 ? [] : [bytes]
    this.#size = bytes.length
    return found
  }
}

/** How many bytes of data an answer has; undefined: it has none. */
function sizeOf(words: readonly string[]): number | undefined {
  const word = words[0] === 'VA' ? words[1] : words[0] === 'VALUE' ? words[3] : undefined
  if (word === undefined) {
    if (words[0] === 'VA' || words[0] === 'VALUE') throw new Garbled('data without a length')
    return undefined
  }
  const size = /^\d+$/.test(word) ? Number(word) : Number.NaN
  if (size <= LARGEST_DATA) return size
  throw new Garbled('data of an impossible length')
}
