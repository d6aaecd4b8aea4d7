/**
 * What a generated case is: plain data, so that it can be shrunk, printed, and run twice.
 */

/** Some requests of one browser, over one store; each phase is a start of the process. */
export interface Sequence {
  readonly store: StoreShape
  readonly host: Host
  readonly phases: readonly Phase[]
}

export interface Phase {
  readonly options: OptionShape
  readonly exchanges: readonly Exchange[]
}

export interface Host {
  readonly kind: 'express' | 'node'
  /** Express's `trust proxy`. */
  readonly trustProxy: boolean
  /** The secret of a cookie-parser in front, which then is the secret of the request too. */
  readonly cookieParser: string | undefined
}

export interface StoreShape {
  readonly made: 'memory' | 'plain memory' | 'class' | 'inherits' | 'uninitialised'
  /** What a touch does to the record: as memory and files do it, as databases do, or no method. */
  readonly touch: 'rewrites' | 'keeps' | 'none'
  readonly answers: 'at once' | 'next tick' | 'later'
  readonly miss: 'undefined' | 'null' | 'ENOENT'
}

export type SameSite = boolean | 'lax' | 'strict' | 'none' | 'auto'

export interface CookieAttributes {
  readonly maxAge?: number | null | false | undefined
  /** Milliseconds from the start of the case. */
  readonly expiresIn?: number
  readonly secure?: boolean | 'auto'
  readonly httpOnly?: boolean
  readonly path?: string
  readonly domain?: string
  readonly sameSite?: SameSite
  readonly priority?: 'low' | 'medium' | 'high'
  readonly partitioned?: boolean
  readonly originalMaxAge?: number
}

export interface OptionShape {
  readonly resave?: boolean
  readonly saveUninitialized?: boolean
  readonly rolling?: boolean
  readonly unset?: 'keep' | 'destroy'
  readonly secret?: string | readonly string[]
  readonly name?: string
  readonly key?: string
  readonly proxy?: boolean
  readonly genid?: 'numbered' | 'random' | 'odd' | 'of the request' | 'nothing' | 'throws'
  readonly cookie?: CookieAttributes
  /** The attributes as a function of the request. */
  readonly cookieFunction?: boolean
}

/** What the request carries of the session's cookie. */
export type CookieForm =
  | 'kept'
  | 'dropped'
  | 'signature changed'
  | 'id changed'
  | 'unsigned'
  | 'quoted'
  | 'not encoded'
  | 'among others'
  | 'garbage behind'
  | 'garbage before'
  | 'unknown id'
  | 'empty'

export interface Fault {
  readonly operation: 'load' | 'reload' | 'set' | 'touch' | 'destroy'
  readonly which: 'first' | 'every'
  readonly kind: 'error' | 'ENOENT' | 'throws'
}

/** What befalls the record of the cookie before the request comes. An empty text is no record. */
export type Mishap = 'vanishes' | 'disconnect' | 'connect' | { readonly planted: string }

export interface Exchange {
  readonly advance: number
  readonly mishap?: Mishap
  readonly fault?: Fault
  readonly cookie: CookieForm
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly path: string
  readonly forwarded?: string
  readonly tls: boolean
  readonly close: boolean
  readonly steps: readonly Step[]
  readonly response: ResponseShape
  /** What the handler does to the session when the headers have left. */
  readonly late: readonly Step[]
}

export type Key = 'a' | 'b' | 'user' | 'nested' | 'flash' | '1'

/** Names of {@link VALUES}. */
export type ValueName = keyof typeof VALUES

export const VALUES = {
  one: () => 1,
  text: () => 'text',
  'other text': () => 'Zoë \u2028 \u{1f9e5} "quoted"',
  empty: () => '',
  null: () => null,
  undefined: () => undefined,
  'not a number': () => Number.NaN,
  true: () => true,
  list: () => [1, 'two', { three: 3 }],
  object: () => ({ id: 7, name: 'Ada', inner: { list: [1] } }),
  'same object in another order': () => ({ inner: { list: [1] }, name: 'Ada', id: 7 }),
  date: () => new Date(86_400_000),
  document: () => ({ secret: 1, toJSON: () => ({ id: 7 }) }),
  map: () => new Map([[1, 2]]),
}

export type Step =
  | { readonly do: 'set'; readonly key: Key; readonly value: ValueName }
  | { readonly do: 'delete'; readonly key: Key }
  | { readonly do: 'count' | 'push' }
  | { readonly do: 'set the same again' | 'reorder' }
  | { readonly do: 'read' | 'wait' | 'touch' | 'resetMaxAge' }
  | { readonly do: 'save' | 'save, no callback' | 'reload' | 'regenerate' }
  | { readonly do: 'destroy' | 'destroy, no callback' }
  | { readonly do: 'null' | 'undefined' | 'remove' }
  | { readonly do: 'cookie.maxAge'; readonly value: number | null | false | 'a date' }
  | { readonly do: 'cookie.expires'; readonly value: number | null | false }
  | { readonly do: 'cookie.originalMaxAge'; readonly value: number | null }
  | { readonly do: 'cookie.secure' | 'cookie.httpOnly'; readonly value: boolean }
  | { readonly do: 'cookie.sameSite'; readonly value: SameSite }
  | { readonly do: 'cookie.path'; readonly value: string }
  | { readonly do: 'set a cookie of the app' }
  | { readonly do: 'on the first session'; readonly key: Key; readonly value: ValueName }

export type ResponseShape =
  | 'json'
  | 'html'
  | 'redirect'
  | 'end'
  | 'end with length'
  | 'end a buffer'
  | 'end empty'
  | 'write and end'
  | 'stream'
  | 'flushed head'
  | 'pipe'
  | 'no content'
  | 'not modified'
  | 'writeHead'
  | 'writeHead with headers'
  | 'writeHead with a list'
  | 'writeHead with cookies'
  | 'ends twice'
  | 'forbidden'
  | 'throws'
  | 'next(err)'

/** The exchanges of all phases, each with the options it is made under. */
export function exchangesOf({ phases }: Sequence): { options: OptionShape; exchange: Exchange }[] {
  return phases.flatMap(({ options, exchanges }) =>
    exchanges.map((exchange) => ({ options, exchange })),
  )
}

/** The sequence as lines that a person can read. */
export function printSequence({ store, host, phases }: Sequence): string {
  const lines = [`store ${JSON.stringify(store)}`, `host ${JSON.stringify(host)}`]
  let number = 0
  for (const { options, exchanges } of phases) {
    lines.push(`session(${JSON.stringify(options)})`)
    for (const exchange of exchanges) {
      const { method, path, cookie, steps, late, response, advance, ...rest } = exchange
      const shown = Object.entries(rest).filter(([, value]) => value !== undefined && value)
      const extras = shown.map(([name, value]) => `, ${name} ${JSON.stringify(value)}`).join('')
      const after = advance > 0 ? `+${advance} ms, ` : ''
      lines.push(`  ${number++}. ${after}${method} ${path}, cookie ${cookie}${extras}`)
      for (const step of steps) lines.push(`       ${printStep(step)}`)
      lines.push(`       response: ${response}`)
      for (const step of late) lines.push(`       after the head: ${printStep(step)}`)
    }
  }
  return lines.join('\n')
}

function printStep(step: Step): string {
  const { do: action, ...rest } = step
  const values = Object.values(rest).map((value) => JSON.stringify(value))
  return [action, ...values].join(' ')
}
