import type { Sample } from './server.js'

/** How much more the last quarter of a soak may take than the second, by the median. */
export interface Allowance {
  readonly percent: number
  readonly bytes: number
}

/** Two megabytes are the caches of both nodes between half full and full. */
export const LONG: Allowance = { percent: 5, bytes: 2 * 1024 * 1024 }
/** A short run is still warming up: only a flood shows. */
export const SHORT: Allowance = { percent: 50, bytes: 20 * 1024 * 1024 }

/** Timers and handles are counted while nobody asks for anything. */
const MOST_MORE = 2

/** What grew although the load stayed the same, as sentences. */
export function growth(samples: readonly Sample[], { percent, bytes }: Allowance): string[] {
  const quarter = Math.floor(samples.length / 4)
  if (quarter === 0) return ['There are too few samples to tell whether anything grows.']
  const second = samples.slice(quarter, 2 * quarter)
  const last = samples.slice(-quarter)
  const found: string[] = []
  for (const what of ['heap', 'external'] as const) {
    const before = median(second.map((one) => one[what]))
    const after = median(last.map((one) => one[what]))
    if (after > before * (1 + percent / 100) + bytes) {
      found.push(`The ${what} has grown from ${megabytes(before)} to ${megabytes(after)}.`)
    }
  }
  for (const what of ['timers', 'sockets', 'resources'] as const) {
    const before = median(second.map((one) => one[what]))
    const after = median(last.map((one) => one[what]))
    if (after > before + MOST_MORE) {
      found.push(`There are more ${what}: ${before}, then ${after}.`)
    }
  }
  return found
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`
}
