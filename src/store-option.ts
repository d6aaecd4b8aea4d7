import { CallbackStore, type CallbackStoreOptions } from './core/callback-store.js'
import { type ExpressSessionStore, isOldStore } from './core/old-store.js'
import type { Store } from './core/store.js'
import { OptionError } from './errors.js'
import { hasMethod, kind } from './kind.js'
import { MemoryStore } from './stores/memory.js'

const METHODS = ['load', 'create', 'replace', 'touch', 'destroy'] as const

const TAKEN =
  'it takes a Store, such as new MemoryStore() or new FileStore({ path }), or any store made for express-session.'

/** The store to work with, whatever kind was given. @throws OptionError for what is none */
export function storeFrom(given: unknown, options: CallbackStoreOptions): Store {
  if (given === undefined) return new MemoryStore({ clock: options.clock })
  return sortOf(given) === 'texts'
    ? (given as Store)
    : new CallbackStore(given as ExpressSessionStore, options)
}

/** A store that keeps any text, as those of this package do. @throws OptionError */
export function textStoreFrom(name: string, given: unknown): Store {
  const lacking = METHODS.filter((method) => !hasMethod(given, method))
  if (lacking.length === 0) return given as Store
  throw new OptionError(
    `The option ${name} is ${kind(given)} without ${lacking.join(', ')}; it takes a Store, such as new FileStore({ path }), and none made for express-session.`,
  )
}

/**
 * Whether a store keeps texts, as those of this package do, or sessions, as those made for
 * express-session do. @throws OptionError for what is no store
 */
export function sortOf(given: unknown): 'texts' | 'sessions' {
  const lacking = METHODS.filter((method) => !hasMethod(given, method))
  if (lacking.length === 0) return 'texts'
  // Some clients have get, set and destroy too, and mean something else by them.
  if (isClient(given)) {
    throw new OptionError(
      `The option store is the client of a database; pass a store, not its client: ${TAKEN}`,
    )
  }
  // A store of express-session inherits a `load`, and most have `touch` and `destroy`.
  if (isOldStore(given)) return 'sessions'
  throw new OptionError(
    typeof given === 'function'
      ? `The option store is ${isClassOfStores(given) ? `a class: pass an instance, new ${given.name || 'Store'}(…)` : 'a function; a package that gives one is called with express-session, and an instance of what it returns is a store'}; ${TAKEN}`
      : `The option store is ${kind(given)} without ${lacking.join(', ')}; ${TAKEN}`,
  )
}

/** node-redis has `sendCommand`, ioredis `call`, which functions have too. */
function isClient(given: unknown): boolean {
  return typeof given === 'object' && (hasMethod(given, 'sendCommand') || hasMethod(given, 'call'))
}

/** The constructor of a store, in place of one that it makes. */
function isClassOfStores(given: { readonly prototype?: unknown }): boolean {
  const { prototype } = given
  return hasMethod(prototype, 'destroy') && (hasMethod(prototype, 'load') || isOldStore(prototype))
}
