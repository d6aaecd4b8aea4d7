import type { Account, Call, ExchangeAccount } from './account.js'
import { GARBAGE } from './arbitraries.js'
import {
  type Exchange,
  exchangesOf,
  type OptionShape,
  type ResponseShape,
  type Sequence,
} from './sequence.js'

/** A difference from express-session that is meant. */
export interface Intended {
  readonly name: string
  readonly sentence: string
  /** The sequence in which the old package does what the new one does in the given one. */
  readonly forOld?: (sequence: Sequence) => Sequence
  /** What the two made of one exchange, without the difference. */
  readonly align?: (pair: Pair, place: Place) => Pair
}

export interface Pair {
  readonly old: ExchangeAccount
  readonly fresh: ExchangeAccount
}

export interface Place {
  readonly exchange: Exchange
  readonly options: OptionShape
  readonly sequence: Sequence
}

/** Both accounts without the differences that are meant. */
export function aligned(
  intended: readonly Intended[],
  old: Account,
  fresh: Account,
  sequence: Sequence,
): readonly [Account, Account] {
  const places = exchangesOf(sequence)
  const pairs = old.exchanges.map((before, index): Pair => {
    const after = fresh.exchanges[index]
    const place = places[index]
    if (after === undefined || place === undefined) throw new Error('an exchange is missing')
    return intended.reduce<Pair>(
      (pair, { align }) => align?.(pair, { ...place, sequence }) ?? pair,
      { old: before, fresh: after },
    )
  })
  return [
    { exchanges: pairs.map((pair) => pair.old) },
    { exchanges: pairs.map((pair) => pair.fresh) },
  ]
}

const looksFirst: Intended = {
  name: 'looks before it writes',
  sentence:
    'Before a session is written, the store is asked for it once more: what has ended meanwhile is not written back, other keys that have changed are taken in, and an id of the own `genid` that is in use is not taken.',
  align: ({ old, fresh }) => {
    const calls: Call[] = []
    for (const [index, call] of fresh.calls.entries()) {
      const next = fresh.calls[index + 1]
      const isLook = call.name === 'get' && next?.name === 'set' && next.id === call.id
      if (!isLook || isSame(old.calls[calls.length], call)) calls.push(call)
    }
    return { old, fresh: { ...fresh, calls } }
  },
}

const destroyCallsBack: Intended = {
  name: 'destroy has a callback',
  sentence: '`req.session.destroy()` without a callback hands one to the store all the same.',
  align: ({ old, fresh }) => {
    const calls = old.calls.map((call, index) => {
      const isBare = call.name === 'destroy' && call.given.join() === 'undefined'
      return isBare && fresh.calls[index]?.given.join() === 'function'
        ? { ...call, given: ['function'] }
        : call
    })
    return { old: { ...old, calls }, fresh }
  },
}

const destroysOnce: Intended = {
  name: 'destroys once',
  sentence:
    "With `unset: 'destroy'`, a session that the handler has destroyed is not destroyed again.",
  align: ({ old, fresh }, { options: { unset } }) => {
    if (unset !== 'destroy') return { old, fresh }
    const isRepeated = (call: Call, later: readonly Call[]) =>
      call.name === 'destroy' && later.some((other) => isSame(other, call))
    return { old: { ...old, calls: fewer(old.calls, fresh.calls, isRepeated) }, fresh }
  },
}

const absentIsAbsent: Intended = {
  name: 'an absent record, whatever the store calls it',
  sentence: 'A store that says ENOENT gives `reload()` the error that other stores give it.',
  align: ({ old, fresh }) => {
    const saw = old.saw.map((seen) => {
      if (!Array.isArray(seen) || seen[0] !== 'reload') return seen
      const [step, answer, ...rest] = seen as string[]
      const isAbsent = answer?.endsWith(': ENOENT')
      return [step, isAbsent ? 'error: Error: failed to load session' : answer, ...rest]
    })
    return { old: { ...old, saw }, fresh }
  },
}

const throwsNothing: Intended = {
  name: 'throws nothing',
  sentence:
    'What a store or `genid` throws before the handler runs goes to `next(err)`, as what they say does.',
  align: ({ old, fresh }) => {
    const nexts = old.nexts.map((line) => line.replace(/^threw (.*)$/s, 'next($1)'))
    return { old: { ...old, nexts }, fresh }
  },
}

const commitsWithTheHead: Intended = {
  name: 'stores when the headers leave',
  sentence:
    'A session is stored, or touched, before the headers leave; what a stream changes after them is stored at its end, besides.',
  align: ({ old, fresh }, { exchange }) => {
    if (exchange.late.length === 0) return { old, fresh }
    const withoutTouch = (calls: readonly Call[]) => calls.filter(({ name }) => name !== 'touch')
    const before = withoutTouch(old.calls)
    const isSuperseded = (call: Call, later: readonly Call[]) =>
      call.name === 'set' &&
      later.some(({ name, id }) => (name === 'set' || name === 'destroy') && id === call.id)
    const after = fewer(withoutTouch(fresh.calls), before, isSuperseded)
    return { old: { ...old, calls: before }, fresh: { ...fresh, calls: after } }
  },
}

const storesOnceAfterRegenerate: Intended = {
  name: 'one write after a regenerate',
  sentence:
    'What was saved after a `regenerate()` is not written once more at the end, if it is the same.',
  align: ({ old, fresh }, { exchange }) => {
    if (!exchange.steps.some((step) => step.do === 'regenerate')) return { old, fresh }
    const isRepeated = (call: Call, _later: readonly Call[], earlier: readonly Call[]) =>
      call.name === 'set' && earlier.some((other) => isEqual(other, call))
    return { old: { ...old, calls: fewer(old.calls, fresh.calls, isRepeated) }, fresh }
  },
}

const failedLoadsEndNothing: Intended = {
  name: 'a failed load ends nothing',
  sentence:
    "With `unset: 'destroy'`, a session that could not be loaded is not taken for one that the handler has removed: its record stays.",
}

const readsLeaveAlone: Intended = {
  name: 'reading changes nothing',
  sentence:
    'A record with keys that no session can hold (`id`, `save`, …) is read without them, and is not written again for that alone.',
}

const triesAgain: Intended = {
  name: 'tries a failed save again',
  sentence:
    'A `save()` that failed leaves the session unsaved: the end of the response stores it, and `next(err)` hears if that fails too.',
}

const savesWhenItsTurnComes: Intended = {
  name: 'saves when its turn comes',
  sentence:
    'A `save()` that nobody waits for writes what the session holds when it comes to it, so that changes made right after it need no second write.',
}

const wholeBody: Intended = {
  name: 'a body in one piece',
  sentence:
    'A body that was given to `end` is sent with its length, as Node does: nothing is held back that would need chunks.',
  align: ({ old, fresh }, { exchange: { method } }) => {
    if ('failure' in old.response || 'failure' in fresh.response) return { old, fresh }
    const length = fresh.response.headers.find((line) => line.startsWith('Content-Length: '))
    const at = old.response.headers.indexOf('Transfer-Encoding: chunked')
    const isWhole = length === `Content-Length: ${Buffer.byteLength(fresh.response.body)}`
    if (at === -1 || length === undefined || !(isWhole || method === 'HEAD')) return { old, fresh }
    const headers = old.response.headers.with(at, length).toSorted()
    return {
      old: { ...old, response: { ...old.response, headers } },
      fresh: {
        ...fresh,
        response: { ...fresh.response, headers: fresh.response.headers.toSorted() },
      },
    }
  },
}

const decidesAfterTheTouch: Intended = {
  name: 'decides after the touch',
  sentence:
    'Whether a changed session has a date to tell the browser is decided after its life was started again, also where the headers leave before `end`; a handler or an option that sets `originalMaxAge`, or a record in which it contradicts `expires`, can tell.',
  align: ({ old, fresh }, { exchange, sequence }) => {
    const isSet = sequence.phases.some(({ options }) =>
      JSON.stringify(options).includes('originalMaxAge'),
    )
    const isContradictory =
      isSet ||
      exchangesOf(sequence).some(
        ({ exchange: { mishap, steps } }) =>
          typeof mishap === 'object' || steps.some((step) => step.do === 'cookie.originalMaxAge'),
      )
    const isMeant = isContradictory && HEAD_FIRST.includes(exchange.response)
    if (!isMeant || 'failure' in old.response || 'failure' in fresh.response) return { old, fresh }
    const [before, after] = [old.response.cookies, fresh.response.cookies]
    if (before.some(isSessions) === after.some(isSessions)) return { old, fresh }
    const withoutIts = (account: ExchangeAccount, cookies: readonly string[]) => ({
      ...account,
      response: { ...account.response, cookies: cookies.filter((line) => !isSessions(line)) },
    })
    return { old: withoutIts(old, before), fresh: withoutIts(fresh, after) }
  },
}

const namesTheValue: Intended = {
  name: 'names the attribute that is wrong',
  sentence: 'The error for an attribute that no cookie can have tells its value too.',
  align: ({ old, fresh }) => {
    const nexts = fresh.nexts.map((line) => line.replace(/(option \w+ is invalid): .*\)$/, '$1)'))
    return { old, fresh: { ...fresh, nexts } }
  },
}

const everyCookie: Intended = {
  name: 'every cookie of the name',
  sentence: 'A cookie that is no good does not hide a good one of the same name behind it.',
  forOld: (sequence) =>
    mapExchanges(sequence, (exchange) =>
      exchange.cookie === 'garbage before' ? { ...exchange, cookie: 'kept' } : exchange,
    ),
}

const wholeSegments: Intended = {
  name: 'paths by segments',
  sentence: 'The cookie path `/app` does not match `/application`, which no browser thinks either.',
  forOld: (sequence) =>
    mapExchanges(sequence, (exchange, { cookie }) =>
      exchange.path === '/application' && cookie?.path === '/app'
        ? { ...exchange, path: '/other' }
        : exchange,
    ),
}

const autoInFunctions: Intended = {
  name: 'auto in functions',
  sentence:
    "`secure: 'auto'` and `sameSite: 'auto'` mean the same from a function as from an object.",
  forOld: (sequence) => ({
    ...sequence,
    phases: sequence.phases.map((phase) => {
      const { cookieFunction, ...options } = phase.options
      const isAuto = options.cookie?.secure === 'auto' || options.cookie?.sameSite === 'auto'
      return isAuto ? { ...phase, options } : phase
    }),
  }),
}

const garbageIsNobody: Intended = {
  name: 'a record that is none',
  sentence:
    'A record without a cookie, or one that does not parse, counts as unknown and stays where it is; it is not an error for every request.',
  forOld: (sequence) =>
    mapExchanges(sequence, (exchange) => {
      const { mishap } = exchange
      const isGarbage = typeof mishap === 'object' && GARBAGE.includes(mishap.planted)
      return isGarbage ? { ...exchange, mishap: { planted: '' } } : exchange
    }),
  align: ({ old, fresh }) => {
    const records = Object.entries(fresh.records).filter(
      ([id, text]) => id in old.records || !GARBAGE.includes(text),
    )
    return { old, fresh: { ...fresh, records: Object.fromEntries(records) } }
  },
}

const tellsWhy: Intended = {
  name: 'warns',
  sentence:
    'Where a cookie cannot be sent, a warning says why, once: Secure over plain http, and a session that begins after the headers.',
  align: ({ old, fresh }, { exchange }) => {
    const isMeant = (line: string) =>
      (line === 'warning WARN_INSECURE_HOP' && !exchange.tls) ||
      (line === 'warning WARN_TOO_LATE' && exchange.late.length > 0)
    const noCookie = 'cookies' in fresh.response && !fresh.response.cookies.some(isSessions)
    const output = fresh.output.filter((line) => !(noCookie && isMeant(line)))
    return { old, fresh: { ...fresh, output } }
  },
}

export const intended: readonly Intended[] = [
  everyCookie,
  wholeSegments,
  autoInFunctions,
  garbageIsNobody,
  looksFirst,
  destroyCallsBack,
  destroysOnce,
  absentIsAbsent,
  throwsNothing,
  storesOnceAfterRegenerate,
  savesWhenItsTurnComes,
  triesAgain,
  readsLeaveAlone,
  failedLoadsEndNothing,
  commitsWithTheHead,
  wholeBody,
  tellsWhy,
  namesTheValue,
  decidesAfterTheTouch,
]

function mapExchanges(
  sequence: Sequence,
  map: (exchange: Exchange, options: OptionShape) => Exchange,
): Sequence {
  const phases = sequence.phases.map(({ options, exchanges }) => ({
    options,
    exchanges: exchanges.map((exchange) => map(exchange, options)),
  }))
  return { ...sequence, phases }
}

/** Responses whose headers leave before their `end` is called. */
const HEAD_FIRST: readonly ResponseShape[] = [
  'write and end',
  'stream',
  'flushed head',
  'pipe',
  'writeHead',
  'writeHead with headers',
  'writeHead with a list',
  'writeHead with cookies',
]

function isSame(a: Call | undefined, b: Call): boolean {
  return a?.name === b.name && a.id === b.id
}

/** `calls` without those that may go, the last first, as long as there are more of their kind than in `others`. */
function fewer(
  calls: readonly Call[],
  others: readonly Call[],
  mayGo: (call: Call, later: readonly Call[], earlier: readonly Call[]) => boolean,
): readonly Call[] {
  const left = [...calls]
  for (let index = left.length - 1; index >= 0; index--) {
    const call = left[index] as Call
    const isMore = countOf(left, call) > countOf(others, call)
    if (isMore && mayGo(call, left.slice(index + 1), left.slice(0, index))) left.splice(index, 1)
  }
  return left
}

function countOf(calls: readonly Call[], call: Call): number {
  return calls.filter((other) => isSame(other, call)).length
}

function isEqual(a: Call, b: Call): boolean {
  return isSame(a, b) && a.text === b.text
}

/** Whether a line of the account's cookies is the session's. */
function isSessions(line: string): boolean {
  return line.includes(' signed with ')
}
