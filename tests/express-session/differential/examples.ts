import type { Account } from './account.js'
import { intended } from './intended.js'
import type { Exchange, OptionShape, Sequence, Step, StoreShape } from './sequence.js'

/** A sequence that shows what is intended: what of it, in the old package and in the new one. */
export interface Example {
  readonly sequence: Sequence
  readonly see: (account: Account) => unknown
  readonly old: unknown
  readonly fresh: unknown
}

const DATA: Step = { do: 'set', key: 'a', value: 'one' }
const MORE: Step = { do: 'set', key: 'b', value: 'one' }
const READ: Step = { do: 'read' }
const SAVE: Step = { do: 'save' }

const calls = (number: number) => (account: Account) =>
  account.exchanges[number]?.calls.map(({ name, id }) => `${name} ${id}`)
const records = (number: number) => (account: Account) =>
  Object.keys(account.exchanges[number]?.records ?? {})
const saw = (number: number) => (account: Account) => account.exchanges[number]?.saw
const nexts = (number: number) => (account: Account) => account.exchanges[number]?.nexts
const cookies = (number: number) => (account: Account) => answerOf(account, number).cookies

/** By the name of the difference. */
export const examples: Readonly<Record<string, Example>> = {
  'looks before it writes': {
    sequence: visits({}, { steps: [DATA] }, { steps: [MORE] }),
    see: (account) => [calls(0)(account), calls(1)(account)],
    old: [['set id-1'], ['get id-1', 'set id-1']],
    fresh: [
      ['get id-1', 'set id-1'],
      ['get id-1', 'get id-1', 'set id-1'],
    ],
  },
  'destroy has a callback': {
    sequence: visits({}, { steps: [DATA] }, { steps: [{ do: 'destroy, no callback' }] }),
    see: ({ exchanges }) => exchanges[1]?.calls.at(-1)?.given,
    old: ['undefined'],
    fresh: ['function'],
  },
  'destroys once': {
    sequence: visits({ unset: 'destroy' }, { steps: [DATA] }, { steps: [{ do: 'destroy' }] }),
    see: calls(1),
    old: ['get id-1', 'destroy id-1', 'destroy id-1'],
    fresh: ['get id-1', 'destroy id-1'],
  },
  'an absent record, whatever the store calls it': {
    sequence: visits({ store: { miss: 'ENOENT' } }, { steps: [{ do: 'reload' }] }),
    see: ({ exchanges }) => (exchanges[0]?.saw[0] as string[] | undefined)?.[1],
    old: 'error: Error: no such record: ENOENT',
    fresh: 'error: Error: failed to load session',
  },
  'throws nothing': {
    sequence: visits(
      {},
      { steps: [DATA] },
      { fault: { operation: 'load', which: 'first', kind: 'throws' } },
    ),
    see: nexts(1),
    old: ['threw Error: get threw'],
    fresh: ['next(Error: get threw)'],
  },
  'stores when the headers leave': {
    sequence: visits(
      { store: { answers: 'at once' } },
      { steps: [DATA], response: 'flushed head', late: [{ do: 'wait' }, MORE] },
    ),
    see: calls(0),
    old: ['set id-1'],
    fresh: ['get id-1', 'set id-1', 'get id-1', 'set id-1'],
  },
  'one write after a regenerate': {
    sequence: visits({}, { steps: [{ do: 'regenerate' }, DATA, SAVE] }),
    see: calls(0),
    old: ['destroy id-1', 'set id-2', 'set id-2'],
    fresh: ['destroy id-1', 'get id-2', 'set id-2'],
  },
  'saves when its turn comes': {
    sequence: visits({}, { steps: [{ do: 'save, no callback' }, DATA] }),
    see: calls(0),
    old: ['set id-1', 'set id-1'],
    fresh: ['get id-1', 'set id-1'],
  },
  'tries a failed save again': {
    sequence: visits(
      {},
      { steps: [DATA, SAVE], fault: { operation: 'set', which: 'first', kind: 'error' } },
    ),
    see: (account) => [saw(0)(account), records(0)(account), nexts(0)(account)],
    old: [[['save', 'error: Error: set failed', [['cookie', 'a'], 'id-1']]], [], ['next()']],
    fresh: [
      [['save', 'error: Error: set failed', [['cookie', 'a'], 'id-1']]],
      ['id-1'],
      ['next()'],
    ],
  },
  'reading changes nothing': {
    sequence: visits(
      {},
      {
        mishap: {
          planted:
            '{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"id":"mine","save":1,"a":1}',
        },
      },
    ),
    see: calls(0),
    old: ['get planted-1', 'set planted-1'],
    fresh: ['get planted-1', 'touch planted-1'],
  },
  'a failed load ends nothing': {
    sequence: visits(
      { unset: 'destroy' },
      { steps: [DATA] },
      { fault: { operation: 'load', which: 'first', kind: 'error' } },
    ),
    see: (account) => [calls(1)(account), records(1)(account)],
    old: [['get id-1', 'destroy id-1'], []],
    fresh: [['get id-1'], ['id-1']],
  },
  'a body in one piece': {
    sequence: visits({}, { steps: [DATA], response: 'end' }),
    see: (account) => answerOf(account, 0).headers.filter((line) => /length|encoding/i.test(line)),
    old: ['Transfer-Encoding: chunked'],
    fresh: ['Content-Length: 25'],
  },
  'every cookie of the name': {
    sequence: visits({}, { steps: [DATA] }, { cookie: 'garbage before', steps: [READ] }),
    see: ({ exchanges }) => (exchanges[1]?.saw[0] as { keys: string[] } | undefined)?.keys,
    old: ['cookie'],
    fresh: ['cookie', 'a'],
  },
  'paths by segments': {
    sequence: visits({ cookie: { path: '/app' } }, { path: '/application', steps: [READ] }),
    see: ({ exchanges }) => exchanges[0]?.saw.map((seen) => typeof seen),
    old: ['object'],
    fresh: ['string'],
  },
  'auto in functions': {
    sequence: visits({ cookie: { secure: 'auto' }, cookieFunction: true }, { steps: [DATA] }),
    see: cookies(0),
    old: [],
    fresh: ['connect.sid=<id-1 signed with first secret>; Path=/; HttpOnly'],
  },
  'a record that is none': {
    sequence: visits({}, { mishap: { planted: '{}' } }),
    see: (account) => [answerOf(account, 0).status, account.exchanges[0]?.records],
    old: ['500 Internal Server Error', { 'planted-1': '{}' }],
    fresh: ['200 OK', { 'planted-1': '{}' }],
  },
  warns: {
    sequence: visits({ cookie: { secure: true } }, { steps: [DATA] }),
    see: ({ exchanges }) => exchanges[0]?.output,
    old: [],
    fresh: ['warning WARN_INSECURE_HOP'],
  },
  'decides after the touch': {
    sequence: visits(
      { cookie: { maxAge: 60_000 } },
      { steps: [DATA] },
      { steps: [{ do: 'cookie.originalMaxAge', value: null }, MORE], response: 'flushed head' },
    ),
    see: cookies(1),
    old: ['connect.sid=<id-1 signed with first secret>; Path=/; HttpOnly'],
    fresh: [],
  },
  'names the attribute that is wrong': {
    sequence: visits({}, { steps: [DATA, { do: 'cookie.sameSite', value: 'auto' }] }),
    see: nexts(0),
    old: ['next()', 'next(TypeError: option sameSite is invalid)'],
    fresh: ['next()', 'next(TypeError: option sameSite is invalid: auto)'],
  },
}

/** What was once a difference that nobody had meant: each is answered by both in the same way. */
export const regressions: Readonly<Record<string, Sequence>> = {
  'a touch after the write of the same response': visits(
    { resave: true },
    { steps: [DATA] },
    { response: 'writeHead' },
  ),
  'a cookie changed after regenerate() and save()': visits(
    {},
    { steps: [DATA] },
    {
      steps: [{ do: 'regenerate' }, DATA, SAVE, { do: 'cookie.maxAge', value: 7_200_000 }],
      response: 'redirect',
    },
  ),
  'the cookie of a new session that was saved and reloaded': visits(
    {},
    { steps: [DATA, SAVE, { do: 'reload' }] },
    { steps: [{ do: 'regenerate' }, DATA, SAVE, { do: 'reload' }] },
  ),
  'the cookie of a session that was changed, saved and reloaded': visits(
    { cookie: { maxAge: 60_000 } },
    { steps: [DATA] },
    { steps: [MORE, SAVE, { do: 'reload' }] },
  ),
  'a session that could not be destroyed': visits(
    {},
    { steps: [DATA] },
    { steps: [{ do: 'destroy' }], fault: { operation: 'destroy', which: 'every', kind: 'error' } },
    {},
  ),
  'a write that fails before the headers of a longer response': visits(
    {},
    {
      steps: [DATA],
      response: 'writeHead',
      fault: { operation: 'set', which: 'every', kind: 'error' },
    },
  ),
  'a destroy() that fails once, where removed sessions end': visits(
    { unset: 'destroy' },
    { steps: [DATA] },
    {
      steps: [{ do: 'destroy' }],
      fault: { operation: 'destroy', which: 'first', kind: 'error' },
    },
  ),
  'a second end': visits({}, { steps: [DATA], response: 'ends twice' }, { response: 'ends twice' }),
}

function visits(
  { store, ...options }: OptionShape & { readonly store?: Partial<StoreShape> },
  ...exchanges: readonly Partial<Exchange>[]
): Sequence {
  return {
    store: { made: 'class', touch: 'keeps', answers: 'later', miss: 'undefined', ...store },
    host: { kind: 'express', trustProxy: false, cookieParser: undefined },
    phases: [
      {
        options: {
          resave: false,
          saveUninitialized: false,
          secret: 'first secret',
          ...options,
        },
        exchanges: exchanges.map((exchange) => ({
          advance: 0,
          cookie: 'kept',
          method: 'GET',
          path: '/app',
          tls: false,
          close: false,
          steps: [],
          response: 'json',
          late: [],
          ...exchange,
        })),
      },
    ],
  }
}

function answerOf({ exchanges }: Account, number: number) {
  const response = exchanges[number]?.response
  if (response === undefined || 'failure' in response) throw new Error('there was no response')
  return response
}

/** Differences without an example, and the other way round. */
export function unmatched(): string[] {
  const names = intended.map(({ name }) => name)
  return [
    ...names.filter((name) => !(name in examples)),
    ...Object.keys(examples).filter((name) => !names.includes(name)),
  ]
}
