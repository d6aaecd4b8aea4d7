import type { Anything } from './anything.js'

/** Another way to say string, by which a program with `@types/express-session` is told. */
export type SessionID = string & {}

/**
 * Where `@types/express-session` is in the same compilation (older TypeScript takes in every
 * installed `@types`), the names on a request are its own: it declares `sessionID` a plain string.
 */
export type IsOurs = IsSame<Express.Request['sessionID'], SessionID>

/** What a store gives. Beside the old types, a store of ours is to be one of theirs as well. */
export type Described<T> = IsOurs extends true ? T : Anything

type IsSame<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
