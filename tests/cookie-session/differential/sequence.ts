/** What a generated case is: plain data, so that it can be shrunk, printed, and run twice. */

/** Some requests of one browser; each phase is a start of the process. */
export interface Sequence {
  readonly host: { readonly kind: 'express' | 'node'; readonly trustProxy: boolean }
  readonly phases: readonly Phase[]
}

export interface Phase {
  readonly options: OptionShape
  readonly exchanges: readonly Exchange[]
}

/** Names of keys, newest first; in the signatures of Keygrip or with another hash. */
export const KEY_LISTS = [['new'], ['new', 'old'], ['old'], ['newest', 'new', 'old']] as const

export interface Attributes {
  readonly maxAge?: number | null
  /** Milliseconds from the start of the case. */
  readonly expiresIn?: number
  readonly path?: string | null
  readonly domain?: string
  readonly sameSite?: boolean | string
  readonly secure?: boolean | null
  readonly secureProxy?: boolean
  readonly httpOnly?: boolean | null
  readonly partitioned?: boolean
  readonly priority?: string
  readonly overwrite?: boolean | null
  readonly signed?: boolean | null
}

export interface OptionShape extends Attributes {
  readonly name?: string
  readonly keys: (typeof KEY_LISTS)[number]
  readonly given: 'keys' | 'secret' | 'keygrip' | 'keygrip with sha256'
}

/** What the request carries of the two cookies. */
export type CookieForm =
  | 'kept'
  | 'dropped'
  | 'value changed'
  | 'signature changed'
  | 'signature missing'
  | 'signature empty'
  | 'value empty'
  | 'quoted'
  | 'among others'
  | 'twice, good first'
  | 'twice, good last'
  | 'spaced'

export interface Planted {
  /** The text in the cookie, before base64. */
  readonly text: string
  readonly by: 'new' | 'old' | 'nobody'
  /** In the other alphabet and without padding, which the old package never writes. */
  readonly urlSafe: boolean
}

export interface Exchange {
  readonly advance: number
  readonly cookie: CookieForm
  readonly planted?: Planted
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly tls: boolean
  readonly forwarded: boolean
  readonly steps: readonly Step[]
  readonly response: ResponseShape
  /** What the handler does when the headers have left. */
  readonly late: readonly Step[]
}

export const KEYS = [
  'a',
  'b',
  'user',
  '1',
  'save',
  'regenerate',
  'toString',
  'isNew',
  '_ctx',
] as const
export type Key = (typeof KEYS)[number]

export const VALUES = {
  one: () => 1,
  text: () => 'Zoë \u2028 \u{1f9e5} "quoted"',
  null: () => null,
  undefined: () => undefined,
  list: () => [1, 'two', { three: 3 }],
  object: () => ({ id: 7, name: 'Ada' }),
  'object in another order': () => ({ name: 'Ada', id: 7 }),
  date: () => new Date(86_400_000),
  map: () => new Map([[1, 2]]),
  large: () => 'x'.repeat(2600),
  'too large': () => 'x'.repeat(3200),
  bigint: () => 1n,
  cycle: () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    return cycle
  },
}
export type ValueName = keyof typeof VALUES

/** What is assigned to `req.session`. */
export const REPLACEMENTS = {
  empty: () => ({}),
  data: () => ({ a: 1, list: [1] }),
  inherited: () => Object.create({ a: 1 }, { b: { value: 2, enumerable: true } }) as object,
  array: () => ['one', 'two'],
  members: () => ({ isNew: false, isChanged: false, _ctx: 1, toString: 1, a: 1 }),
  hostile: () => JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":2},"a":1}'),
  toJSON: () => ({ toJSON: () => ({ other: 1 }) }),
  number: () => 1,
  text: () => 'text',
  false: () => false,
  function: () => () => {},
}

export type Step =
  | { readonly do: 'set'; readonly key: Key; readonly value: ValueName }
  | { readonly do: 'delete'; readonly key: Key }
  | { readonly do: 'count' | 'push' | 'reorder' | 'set the same again' }
  | { readonly do: 'read' | 'touch' | 'wait' | 'null' | 'undefined' | 'itself' }
  | { readonly do: 'replace'; readonly with: keyof typeof REPLACEMENTS }
  | { readonly do: 'options'; readonly change: Attributes }
  | { readonly do: 'other options'; readonly put: Attributes }
  | { readonly do: 'cookie of the app' | 'cookie of the same name' | 'header in lower case' }

export type ResponseShape =
  | 'json'
  | 'redirect'
  | 'end'
  | 'end empty'
  | 'write and end'
  | 'stream'
  | 'flushed head'
  | 'writeHead'
  | 'writeHead with headers'
  | 'writeHead with a list'
  | 'writeHead with cookies'
  | 'not modified'
  | 'throws'
  | 'next(err)'

/** The exchanges of all phases, each with the options it is made under. */
export function exchangesOf({ phases }: Sequence): { options: OptionShape; exchange: Exchange }[] {
  return phases.flatMap(({ options, exchanges }) =>
    exchanges.map((exchange) => ({ options, exchange })),
  )
}

/** The sequence as lines that a person can read. */
export function printSequence({ host, phases }: Sequence): string {
  const lines = [`host ${printed(host)}`]
  for (const { options, exchanges } of phases) {
    lines.push(`cookieSession(${printed(options)})`)
    for (const { steps, late, response, ...rest } of exchanges) {
      lines.push(`  ${printed(rest)}`)
      for (const step of steps) lines.push(`       ${printed(step)}`)
      lines.push(`       response: ${response}`)
      for (const step of late) lines.push(`       after the head: ${printed(step)}`)
    }
  }
  return lines.join('\n')
}

/** As JSON, in which a number that is none is told apart. */
function printed(value: unknown): string {
  return JSON.stringify(value, (_key, item) => (Number.isNaN(item) ? 'NaN' : item))
}
