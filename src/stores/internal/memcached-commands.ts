import type { Replaced } from '../../core/store.js'

/** What a server has under a name. */
export interface Item {
  readonly value: string
  /** Another one with each write, and the same after a touch. */
  readonly cas: string
  /** The seconds it still has, -1 for ever; undefined: this server does not tell. */
  readonly life: number | undefined
}

/**
 * The commands of one server, each one step and one wait. `flags` 2 says that a value is JSON, to
 * who reads it with the `memcached` package; 0 that it is a text.
 */
export interface Commands {
  /** Whether `get` gives {@link Item.life}. */
  readonly tellsLife: boolean
  get(key: string): Promise<Item | undefined>
  /** False: there is one already. */
  add(key: string, value: string, flags: number, exptime: number): Promise<boolean>
  cas(key: string, value: string, flags: number, exptime: number, cas: string): Promise<Replaced>
  /** Adds to the end of a value. False: there is none. */
  append(key: string, value: string): Promise<boolean>
  touch(key: string, exptime: number): Promise<boolean>
  remove(key: string): Promise<boolean>
}

/** All servers: which one has an item, and what it is called there. */
export interface Servers {
  /** Whether a long name is shortened there, and the server found by all of it. */
  readonly shortens: boolean
  /** The server of an item, connected. */
  of(ring: string): Promise<Commands>
  close(): Promise<void>
}
