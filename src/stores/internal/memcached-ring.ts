import { createHash } from 'node:crypto'

/** A server as the ring knows it. */
export interface RingServer {
  /** As the program has written it: the points of the ring are hashes of this text. */
  readonly name: string
  readonly weight: number
}

/** Of libketama: 40 hashes a server, each of which gives four points. */
const HASHES = 40
const POINTS_OF_HASH = 4

const DEFAULT_PORT = ':11211'

/**
 * Consistent hashing as libketama does it, in the form of the `hashring` package, which the
 * `memcached` package uses: a key has the same server here and there.
 */
export class Ring {
  readonly #points: readonly { readonly at: number; readonly server: number }[]

  constructor(servers: readonly RingServer[]) {
    const total = servers.reduce((sum, { weight }) => sum + weight, 0)
    this.#points = servers
      .flatMap(({ name, weight }, server) => {
        const hashes = Math.floor((weight / total) * HASHES * servers.length)
        return Array.from({ length: hashes }, (_, i) => pointsOf(`${nameInRing(name)}-${i}`))
          .flat()
          .map((at) => ({ at, server }))
      })
      .sort((a, b) => a.at - b.at)
  }

  /** The index of the server that has `key`. */
  serverOf(key: string): number {
    const points = this.#points
    const at = hashOf(key).readUInt32LE()
    let [low, high] = [0, points.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (points[middle]!.at < at) low = middle + 1
      else high = middle
    }
    return (points[low] ?? points[0])?.server ?? 0
  }
}

/** A server on the port that is its default has its points without it. */
function nameInRing(name: string): string {
  return name.endsWith(DEFAULT_PORT) ? name.slice(0, -DEFAULT_PORT.length) : name
}

function pointsOf(text: string): number[] {
  const hash = hashOf(text)
  return Array.from({ length: POINTS_OF_HASH }, (_, i) => hash.readUInt32LE(i * 4))
}

function hashOf(text: string): Buffer {
  return createHash('md5').update(text).digest()
}
