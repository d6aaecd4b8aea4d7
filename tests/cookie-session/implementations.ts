import type { IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import { cookieSession } from '../../src/cookie-session/index.js'

const require = createRequire(import.meta.url)

/** What of a session both have. */
export interface OldSession {
  [key: string]: unknown
  readonly isNew: boolean
  readonly isChanged: boolean
  readonly isPopulated: boolean
}

export interface OldRequest extends IncomingMessage {
  session: OldSession | null
  sessionOptions: Record<string, unknown>
}

export type Middleware = (req: object, res: object, next: (error?: unknown) => void) => void

/** The middlewares that a test runs over: the package that is replaced, and what replaces it. */
export interface Implementation {
  readonly name: 'cookie-session' | 'coatcheck'
  readonly session: (options?: object) => Middleware
}

export const real: Implementation = {
  name: 'cookie-session',
  session: require('cookie-session') as Implementation['session'],
}

export const dropIn: Implementation = { name: 'coatcheck', session: cookieSession }

export const implementations: readonly Implementation[] = [real, dropIn]
