import { createRequire } from 'node:module'
import { session } from '../../src/express-session/index.js'

const require = createRequire(import.meta.url)

/** The middlewares that a test runs over: the package that is replaced, and what replaces it. */
export interface Implementation {
  readonly name: 'express-session' | 'coatcheck'
  // biome-ignore lint/suspicious/noExplicitAny: seen as its users in JavaScript see it
  readonly session: any
}

export const real: Implementation = {
  name: 'express-session',
  session: require('express-session'),
}

export const dropIn: Implementation = { name: 'coatcheck', session }

export const implementations: readonly Implementation[] = [real, dropIn]
