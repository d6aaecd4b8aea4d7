import { Recent } from '../../crypto/recent.js'
import { listIn, textIn } from './redis-answers.js'
import type { RedisConnection } from './redis-client.js'

/** About how many keys of the server a step looks at, whatever they are. */
const PAGE = 250

/** SCAN gives a key twice when its table grows, which is remembered for so many keys. */
const REMEMBERED = 5_000

/** The keys under a prefix, without it, a page at a time. */
export async function* keysUnder(
  { masters = async () => [], keyPrefix }: RedisConnection,
  prefix: string,
): AsyncGenerator<string[], void, undefined> {
  // SCAN is the one command whose pattern no client completes.
  const whole = keyPrefix + prefix
  const seen = new Recent<true>(REMEMBERED)
  const servers = await masters()
  // So do clients of a cluster that are closed, or have not found it yet.
  if (servers.length === 0) throw new Error('The client knows no server.')
  for (const send of servers) {
    let cursor = '0'
    do {
      const args = ['SCAN', cursor, 'MATCH', `${escaped(whole)}*`, 'COUNT', String(PAGE)]
      const [next, names] = listIn(await send(args))
      const keys: string[] = []
      for (const name of listIn(names)) {
        const key = textIn(name)!.slice(whole.length)
        if (seen.get(key)) continue
        seen.set(key, true)
        keys.push(key)
      }
      if (keys.length > 0) yield keys
      cursor = textIn(next) ?? '0'
    } while (cursor !== '0')
  }
}

/** As Redis reads patterns. */
function escaped(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&')
}
