import { editHeaders, type HeaderEdit } from './header-view.js'
import type { Call, ResponseLike } from './response-like.js'

/** What is asked on behalf of a response that cannot wait. */
interface MinimalHolder {
  beginNow?(): HeaderEdit | undefined
  ended(): void
  report(report: { type: 'late-error'; error: unknown }): void
}

const NAMES = ['writeHead', 'write', 'end', 'flushHeaders'] as const

/**
 * Watches an object that is called a response but is none: it has no `headersSent`. engine.io passes
 * one while it upgrades a connection, and reads its headers as soon as the middlewares are through;
 * others bring only `end`. Nothing is held; headers are edited at the first call, if they can be set.
 */
export function holdMinimal(
  res: ResponseLike,
  holder: MinimalHolder,
): { readonly state: 'open' | 'sent' | 'ended' } {
  const hold: { state: 'open' | 'sent' | 'ended' } = { state: 'open' }
  const target = readable(res)

  const begin = (args: unknown[]): unknown[] => {
    hold.state = 'sent'
    if (target === undefined) return args
    try {
      const edit = holder.beginNow?.()
      return edit === undefined ? args : editHeaders(target, edit, args)
    } catch (error) {
      holder.report({ type: 'late-error', error })
      return args
    }
  }

  for (const name of NAMES) {
    const found = res[name] as Call | undefined
    if (typeof found !== 'function') continue
    res[name] = (...args: unknown[]): unknown => {
      const isOpen = hold.state === 'open'
      // Only the arguments of writeHead may hold headers.
      const edited = isOpen ? begin(name === 'writeHead' ? args : []) : args
      const result = found.apply(res, isOpen && name === 'writeHead' ? edited : args)
      if (name === 'end' && hold.state !== 'ended') {
        hold.state = 'ended'
        holder.ended()
      }
      return result
    }
  }
  return hold
}

/**
 * What headers can be read from and set on; undefined: they cannot be set. Where they cannot be read
 * back, those that are set from now on are remembered: an edit must not take the app's own away.
 */
function readable(res: ResponseLike): ResponseLike | undefined {
  const set = res.setHeader as Call | undefined
  if (typeof set !== 'function') return undefined
  if (typeof res.getHeader === 'function') return res
  const known = new Map<string, unknown>()
  res.setHeader = (...args: [name: string, value: unknown]): unknown => {
    known.set(args[0].toLowerCase(), args[1])
    return set.apply(res, args)
  }
  return {
    setHeader: (...args: [name: string, value: unknown]) => set.apply(res, args),
    getHeader: (name: string) => known.get(name.toLowerCase()),
  }
}
