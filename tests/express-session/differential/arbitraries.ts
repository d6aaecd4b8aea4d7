import fc from 'fast-check'
import { SECRETS } from './browser.js'
import { comparable } from './comparable.js'
import type {
  CookieAttributes,
  CookieForm,
  Exchange,
  Fault,
  Host,
  Key,
  Mishap,
  OptionShape,
  Phase,
  ResponseShape,
  SameSite,
  Sequence,
  Step,
  StoreShape,
  ValueName,
} from './sequence.js'
import { VALUES } from './sequence.js'

const MINUTE = 60_000

/** One of `values`; the first as often as all the others together. */
function mostly<const T>(...values: readonly [T, ...T[]]): fc.Arbitrary<T> {
  const [first, ...others] = values
  return fc.oneof(
    { arbitrary: fc.constant(first), weight: Math.max(1, others.length) },
    ...others.map((value) => ({ arbitrary: fc.constant(value), weight: 1 })),
  )
}

/** Most often nothing. */
function seldom<T>(arbitrary: fc.Arbitrary<T>, weight = 3): fc.Arbitrary<T | undefined> {
  return fc.oneof(
    { arbitrary: fc.constant(undefined), weight },
    { arbitrary, weight: 1 },
  ) as fc.Arbitrary<T | undefined>
}

/** Keys that are undefined are left out, as they would be in a program. */
function present<T extends object>(value: T): Presence<T> {
  const entries = Object.entries(value).filter(([, given]) => given !== undefined)
  return Object.fromEntries(entries) as Presence<T>
}

type Presence<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> }

const secrets = fc.constantFrom(
  SECRETS[0] as string,
  SECRETS[0] as string,
  SECRETS[1] as string,
  [SECRETS[0] as string],
  [SECRETS[1] as string, SECRETS[0] as string],
  [SECRETS[2] as string, SECRETS[1] as string, SECRETS[0] as string],
)

const sameSites = fc.constantFrom<SameSite[]>(true, false, 'lax', 'strict', 'none', 'auto')

const cookies: fc.Arbitrary<CookieAttributes> = fc
  .record({
    maxAge: seldom(fc.constantFrom(MINUTE, 10 * MINUTE, 3_600_000, 1, null, false as const), 1),
    expiresIn: seldom(fc.constantFrom(43_200_000, 86_400_000), 8),
    secure: seldom(fc.constantFrom(true, false, 'auto' as const), 2),
    httpOnly: seldom(fc.boolean(), 4),
    path: seldom(fc.constantFrom('/', '/app', '/app/'), 3),
    domain: seldom(fc.constant('example.com'), 6),
    sameSite: seldom(sameSites, 2),
    priority: seldom(fc.constantFrom('low', 'medium', 'high'), 5),
    partitioned: seldom(fc.boolean(), 5),
    originalMaxAge: seldom(fc.constantFrom(2 * MINUTE), 12),
  })
  .map(present)

const options: fc.Arbitrary<OptionShape> = fc
  .record({
    resave: fc.oneof(
      { arbitrary: fc.constant(false), weight: 4 },
      { arbitrary: fc.constantFrom(true, undefined), weight: 2 },
    ),
    saveUninitialized: fc.oneof(
      { arbitrary: fc.constant(false), weight: 4 },
      { arbitrary: fc.constantFrom(true, undefined), weight: 2 },
    ),
    rolling: seldom(fc.boolean(), 1),
    unset: seldom(fc.constantFrom('keep', 'destroy'), 1),
    secret: fc.oneof(
      { arbitrary: secrets, weight: 8 },
      { arbitrary: fc.constant(undefined), weight: 1 },
    ),
    name: seldom(fc.constantFrom('sid', '__Host-app.sid'), 6),
    key: seldom(fc.constant('legacy'), 12),
    proxy: seldom(fc.boolean(), 1),
    genid: seldom(
      fc.constantFrom('random', 'random', 'odd', 'of the request', 'nothing', 'throws'),
      4,
    ),
    cookie: seldom(cookies, 1),
    cookieFunction: seldom(fc.constant(true), 5),
  })
  .map(present) as fc.Arbitrary<OptionShape>

const keys = fc.constantFrom<Key[]>('a', 'a', 'b', 'user', 'nested', 'flash', '1')
const values = fc.constantFrom(...(Object.keys(VALUES) as ValueName[]))

const plain = (...names: Exclude<Step['do'], 'set'>[]) =>
  fc.constantFrom(...names).map((name) => ({ do: name }) as Step)

const changes: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({ do: fc.constant('set' as const), key: keys, value: values }),
    weight: 5,
  },
  { arbitrary: fc.record({ do: fc.constant('delete' as const), key: keys }), weight: 2 },
  { arbitrary: plain('count', 'push'), weight: 3 },
  { arbitrary: plain('set the same again', 'reorder'), weight: 2 },
)

const cookieChanges: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('cookie.maxAge' as const),
    value: fc.constantFrom(MINUTE, 7_200_000, null, false as const, 'a date' as const),
  }),
  fc.record({
    do: fc.constant('cookie.expires' as const),
    value: fc.constantFrom(MINUTE, 7_200_000, null, false as const),
  }),
  fc.record({
    do: fc.constant('cookie.originalMaxAge' as const),
    value: fc.constantFrom(2 * MINUTE, null),
  }),
  fc.record({
    do: fc.constantFrom('cookie.secure' as const, 'cookie.httpOnly' as const),
    value: fc.boolean(),
  }),
  fc.record({ do: fc.constant('cookie.sameSite' as const), value: sameSites }),
  fc.record({ do: fc.constant('cookie.path' as const), value: fc.constantFrom('/', '/app') }),
)

const steps: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: changes, weight: 10 },
  { arbitrary: plain('read'), weight: 3 },
  { arbitrary: plain('save', 'reload', 'regenerate', 'destroy'), weight: 6 },
  { arbitrary: plain('save, no callback', 'destroy, no callback'), weight: 1 },
  { arbitrary: plain('null', 'undefined', 'remove'), weight: 1 },
  { arbitrary: plain('touch', 'resetMaxAge', 'wait', 'set a cookie of the app'), weight: 2 },
  { arbitrary: cookieChanges, weight: 3 },
  {
    arbitrary: fc.record({
      do: fc.constant('on the first session' as const),
      key: keys,
      value: values,
    }),
    weight: 1,
  },
)

const programs = fc.array(steps, { maxLength: 5, size: 'max' })
const looks: Step = { do: 'read' }

const cookieForms: fc.Arbitrary<CookieForm> = mostly(
  'kept',
  'dropped',
  'signature changed',
  'id changed',
  'unsigned',
  'quoted',
  'not encoded',
  'among others',
  'garbage behind',
  'garbage before',
  'unknown id',
  'empty',
)

const fault = <const O extends Fault['operation']>(operation: O, ...kinds: Fault['kind'][]) =>
  fc.record({
    operation: fc.constant(operation),
    which: fc.constantFrom('first' as const, 'every' as const),
    kind: fc.constantFrom(...kinds),
  })

const faults: fc.Arbitrary<Fault> = fc.oneof(
  fault('load', 'error', 'ENOENT', 'throws'),
  fault('reload', 'error', 'ENOENT'),
  fault('set', 'error'),
  fault('touch', 'error'),
  fault('destroy', 'error'),
)

/** Records that old programs, other programs and accidents leave behind. */
export const PLANTED = [
  '{"cookie":{"originalMaxAge":3600000,"expires":"2030-01-01T01:00:00.000Z","httpOnly":true,"path":"/"},"views":1}',
  '{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"user":{"id":1,"name":"Zoë"}}',
  '{"cookie":{"originalMaxAge":3600000,"partitioned":true,"priority":"high","expires":"2030-01-01T01:00:00.000Z","secure":true,"httpOnly":true,"domain":"example.com","path":"/","sameSite":"lax"},"a":1}',
  '{"cookie":{"originalMaxAge":false,"expires":false,"httpOnly":true,"path":"/"},"a":1}',
  '{"cookie":{"httpOnly":true,"path":"/"},"a":[1,2]}',
  '{"header":{"alg":"dir"},"data":{"a":1},"cookie":{"expires":1893459600000,"maxAge":3600000}}',
  '{"cookie":{"expires":"2030-01-01T01:00:00.000Z","originalMaxAge":3600000,"originalExpires":null,"sameSite":null,"secure":null,"path":"/","httpOnly":true,"domain":null,"partitioned":null},"a":1}',
  '{"cookie":{},"a":1}',
  '{"views":1,"cookie":{"path":"/","httpOnly":true,"expires":null,"originalMaxAge":null},"1":"one"}',
  '{"cookie":{"originalMaxAge":60000,"expires":"2029-01-01T01:00:00.000Z","httpOnly":true,"path":"/"},"old":1}',
  '{"cookie":{"originalMaxAge":60000,"expires":"no date","httpOnly":false,"path":"/app","future":"yes"},"a":1}',
] as const

/** Records that are none. */
export const GARBAGE: readonly string[] = [
  '{}',
  '{"a":1}',
  '{"cookie":null,"a":1}',
  '{"cookie":7}',
  '[]',
  '7',
] as const

const mishaps: fc.Arbitrary<Mishap> = fc.oneof(
  { arbitrary: fc.constant('vanishes' as const), weight: 3 },
  { arbitrary: fc.constantFrom('disconnect' as const, 'connect' as const), weight: 1 },
  { arbitrary: fc.constantFrom(...PLANTED).map((planted) => ({ planted })), weight: 4 },
  {
    arbitrary: fc.constantFrom(...GARBAGE).map((planted) => ({ planted })),
    weight: 1,
  },
)

const RESPONSES: readonly [ResponseShape, ...ResponseShape[]] = [
  'json',
  'html',
  'redirect',
  'end',
  'end with length',
  'end a buffer',
  'end empty',
  'write and end',
  'stream',
  'flushed head',
  'pipe',
  'no content',
  'not modified',
  'writeHead',
  'writeHead with headers',
  'writeHead with a list',
  'writeHead with cookies',
  'ends twice',
  'forbidden',
  'throws',
  'next(err)',
]

const lateSteps = fc.array(fc.oneof(changes, plain('destroy')), {
  maxLength: 2,
})

const exchanges: fc.Arbitrary<Exchange> = fc
  .record({
    advance: fc.constantFrom(0, 0, 1, 1000, 30_000, 2 * MINUTE, 3_600_000),
    mishap: seldom(mishaps, 9),
    fault: seldom(faults, 11),
    cookie: cookieForms,
    method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'HEAD'),
    path: fc.constantFrom('/app', '/app/page?a=1', '/app', '/', '/other', '/application'),
    forwarded: seldom(fc.constantFrom('https', 'http', 'HTTPS , http', 'http, https'), 2),
    tls: fc.constantFrom(false, false, false, true),
    close: fc.constantFrom(false, false, false, true),
    steps: programs,
    read: fc.boolean(),
    response: mostly(...RESPONSES),
    late: lateSteps,
  })
  .map(({ read, ...exchange }) => ({
    ...(present(exchange) as Exchange),
    steps: read ? [...exchange.steps, looks] : exchange.steps,
  }))

const stores: fc.Arbitrary<StoreShape> = fc
  .record({
    made: fc.constantFrom('memory', 'plain memory', 'class', 'class', 'inherits', 'uninitialised'),
    touch: fc.constantFrom('rewrites', 'keeps', 'none'),
    answers: fc.constantFrom('later', 'next tick', 'at once'),
    miss: fc.constantFrom('undefined', 'null', 'ENOENT'),
  })
  .map((store) =>
    store.made.endsWith('memory') ? { ...store, touch: 'rewrites', miss: 'undefined' } : store,
  ) as fc.Arbitrary<StoreShape>

const hosts: fc.Arbitrary<Host> = fc.record({
  kind: fc.constantFrom('express', 'express', 'node'),
  trustProxy: fc.boolean(),
  cookieParser: seldom(fc.constantFrom(SECRETS[0] as string, SECRETS[1] as string), 6),
}) as fc.Arbitrary<Host>

const phases = (some: fc.Arbitrary<OptionShape>): fc.Arbitrary<Phase> =>
  fc.record({
    options: some,
    exchanges: fc.array(exchanges, { minLength: 1, maxLength: 4, size: 'max' }),
  })

/** What an operator changes between two starts: a secret, a policy, the cookie's attributes. */
const restarts = fc
  .tuple(options, fc.record({ secret: secrets, cookie: seldom(cookies, 1), rolling: fc.boolean() }))
  .map(([before, changed]) => ({ ...before, ...present(changed) }) as OptionShape)

export const sequences: fc.Arbitrary<Sequence> = fc
  .record({
    store: stores,
    host: hosts,
    first: phases(options),
    second: seldom(phases(restarts), 2),
  })
  .map(({ store, host, first, second }) =>
    comparable({ store, host, phases: second === undefined ? [first] : [first, second] }),
  )
