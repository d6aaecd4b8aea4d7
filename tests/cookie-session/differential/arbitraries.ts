import fc from 'fast-check'
import {
  type Attributes,
  type CookieForm,
  type Exchange,
  KEY_LISTS,
  KEYS,
  type OptionShape,
  type Phase,
  type Planted,
  REPLACEMENTS,
  type ResponseShape,
  type Sequence,
  type Step,
  VALUES,
} from './sequence.js'

type Shape<T> = { [Key in keyof T]-?: fc.Arbitrary<Exclude<T[Key], undefined>> }

/** Each with its attributes by chance; those that no cookie can have among them. */
const attributeValues: Shape<Attributes> = {
  maxAge: fc.constantFrom(0, 1, 60_000, 3_600_500, -1000, null, Number.NaN),
  expiresIn: fc.constantFrom(60_000, -60_000),
  path: fc.constantFrom('/', '/app', '', null, '/\u0000'),
  domain: fc.constantFrom('example.com', '', 'a\nb'),
  sameSite: fc.constantFrom(true, false, 'lax', 'Strict', 'none', 'never'),
  secure: fc.constantFrom(true, false, null),
  secureProxy: fc.boolean(),
  httpOnly: fc.constantFrom(true, false, null),
  partitioned: fc.boolean(),
  priority: fc.constantFrom('low', 'High', 'urgent'),
  overwrite: fc.constantFrom(true, false, null),
  signed: fc.constantFrom(true, true, true, false, null),
}

const attributes = fc.record(attributeValues, { requiredKeys: [] })

/** One or two: most programs change `maxAge`. */
const change = fc
  .tuple(attributes, fc.constantFrom(...Object.keys(attributeValues), 'maxAge', 'maxAge'))
  .map(([all, name]) => {
    const value = all[name as keyof Attributes]
    return (value === undefined ? { maxAge: 60_000 } : { [name]: value }) as Attributes
  })

const fewAttributes = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Attributes>({}) },
  { weight: 4, arbitrary: change },
  { weight: 1, arbitrary: attributes },
)

const optionShape: fc.Arbitrary<OptionShape> = fc
  .tuple(
    fewAttributes,
    fc.record(
      {
        name: fc.constantFrom('sess', 'a.b', 'session', '$[x]'),
        keys: fc.constantFrom(...KEY_LISTS),
        given: fc.constantFrom('keys', 'keys', 'secret', 'keygrip', 'keygrip with sha256'),
      },
      { requiredKeys: ['keys', 'given'] },
    ),
  )
  .map(([some, rest]) => ({ ...some, ...rest }) as OptionShape)

const key = fc.constantFrom(...KEYS, 'a', 'b', 'user', 'a', 'b')
const valueNames = Object.keys(VALUES) as (keyof typeof VALUES)[]
const value = fc.constantFrom(...valueNames, 'one', 'object', 'text', 'list')
const replacement = fc.constantFrom(...(Object.keys(REPLACEMENTS) as (keyof typeof REPLACEMENTS)[]))

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('set' as const), key, value }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constantFrom('count', 'count', 'read', 'read', 'push', 'touch', 'wait'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('reorder', 'set the same again', 'null', 'undefined', 'itself'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('replace' as const), with: replacement }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('options' as const), change }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('other options' as const), put: change }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('cookie of the app', 'cookie of the same name', 'header in lower case'),
    }),
  },
) as fc.Arbitrary<Step>

/** Texts that only one who has a key can put into a cookie, and some that no session has. */
const texts = [
  'null',
  '{}',
  '{"a":1}',
  '{ "a" : 1 }',
  '{"a":1,"a":2}',
  '{"__proto__":{"polluted":1},"a":1}',
  '{"constructor":{"prototype":{"polluted":1}},"isNew":false,"_ctx":1,"save":1}',
  '{"user":"Zoë"}',
  '{"a":',
  '',
  'garbage',
]
const planted: fc.Arbitrary<Planted> = fc.record({
  text: fc.constantFrom(...texts),
  by: fc.constantFrom('new', 'new', 'old', 'nobody'),
  urlSafe: fc.boolean(),
})

const cookie: fc.Arbitrary<CookieForm> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<CookieForm>('kept') },
  {
    weight: 1,
    arbitrary: fc.constantFrom<CookieForm>(
      'dropped',
      'value changed',
      'signature changed',
      'signature missing',
      'signature empty',
      'value empty',
      'quoted',
      'among others',
      'twice, good first',
      'twice, good last',
      'spaced',
    ),
  },
)

const response = fc.constantFrom<ResponseShape>(
  'json',
  'json',
  'redirect',
  'end',
  'end empty',
  'write and end',
  'stream',
  'flushed head',
  'writeHead',
  'writeHead with headers',
  'writeHead with a list',
  'writeHead with cookies',
  'not modified',
  'throws',
  'next(err)',
)

const exchange: fc.Arbitrary<Exchange> = fc.record(
  {
    advance: fc.constantFrom(0, 0, 1500, 3_600_000),
    cookie,
    planted,
    method: fc.constantFrom('GET', 'GET', 'POST', 'HEAD'),
    tls: fc.constantFrom(false, false, true),
    forwarded: fc.constantFrom(false, false, true),
    steps: fc.array(step, { maxLength: 6 }),
    response,
    late: fc.array(step, { maxLength: 2 }),
  },
  {
    requiredKeys: ['advance', 'cookie', 'method', 'tls', 'forwarded', 'steps', 'response', 'late'],
  },
) as fc.Arbitrary<Exchange>

// A planted cookie is for one in some requests; fast-check leaves optional keys out half of the time.
const exchanges = fc.array(
  fc.tuple(exchange, fc.nat(4)).map(([made, chance]): Exchange => {
    const { planted: text, late, ...rest } = made
    const isLate = ['stream', 'flushed head'].includes(made.response)
    return { ...rest, ...(chance === 0 && text ? { planted: text } : {}), late: isLate ? late : [] }
  }),
  { minLength: 1, maxLength: 4 },
)

const phase: fc.Arbitrary<Phase> = fc.record({ options: optionShape, exchanges })

/** Sequences; a later phase has the options of the first with other keys, most of the time. */
export const sequences: fc.Arbitrary<Sequence> = fc
  .tuple(
    fc.record({ kind: fc.constantFrom('express', 'node'), trustProxy: fc.boolean() }),
    fc.array(phase, { minLength: 1, maxLength: 3 }),
    fc.boolean(),
  )
  .map(([host, phases, isOther]) => ({
    host,
    phases: phases.map(({ options, exchanges: made }, index) => {
      if (index === 0 || isOther) return { options, exchanges: made }
      const { keys, given } = options
      return { options: { ...phases[0]!.options, keys, given }, exchanges: made }
    }),
  })) as fc.Arbitrary<Sequence>
