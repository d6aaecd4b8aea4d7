import { isTooLarge, type ResponseAccount } from './browser.js'
import type { Account, ExchangeAccount } from './running.js'
import {
  type Exchange,
  exchangesOf,
  type OptionShape,
  type Sequence,
  type Step,
} from './sequence.js'

/** A difference from cookie-session that is meant. */
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
  // A browser drops the large value and keeps its signature: under the old package the session is
  // lost from here on, and nothing is left to compare.
  const last = old.exchanges.findIndex(({ response }) => response.cookies.some(isTooLarge))
  const compared = intended.length === 0 || last === -1 ? pairs : pairs.slice(0, last + 1)
  return [
    { exchanges: compared.map((pair) => pair.old) },
    { exchanges: compared.map((pair) => pair.fresh) },
  ]
}

/** What the old package swallows, and sends no cookie that a browser keeps. */
const failsInstead: Intended = {
  name: 'fails instead of sending nothing',
  sentence:
    'A session that cannot be sent is an error in place of the response: a BigInt, a cycle, an attribute that no cookie can have, more than 4,096 bytes. The browser keeps what it has.',
  align: ({ old, fresh }, { sequence, exchange }) => {
    const isError = (seen: unknown) =>
      Array.isArray(seen) && seen[0] === 'the error page' && ERRORS.test(seen.slice(1).join(' '))
    const isBare = fresh.response.status.startsWith('500') && exchange.late.length >= 0
    if (!mayFail(sequence) || !(isBare || fresh.saw.some(isError))) return { old, fresh }
    const tooLarge = old.response.cookies.filter(isTooLarge).map((line) => line.split('=', 1)[0])
    const isIts = (line: string) =>
      tooLarge.some((name) => line.startsWith(`${name}=`) || line.startsWith(`${name}.sig=`))
    const withoutIts = ({ cookies }: ResponseAccount) => cookies.filter((line) => !isIts(line))
    const { response } = fresh
    return {
      old: { ...old, response: { ...response, cookies: withoutIts(old.response) } },
      fresh: {
        ...fresh,
        saw: fresh.saw.filter((seen) => !isError(seen)),
        response: { ...response, cookies: withoutIts(response) },
      },
    }
  },
}

const ERRORS =
  /^(?:OptionError ERR_OPTION|CoatcheckError ERR_COOKIE_TOO_LARGE|TypeError .*(?:BigInt|circular).*)$/s

/** Whether anything in the sequence can keep a session out of its cookie. */
function mayFail(sequence: Sequence): boolean {
  return exchangesOf(sequence).some(
    ({ options, exchange: { steps } }) => isWrong(options) || steps.some(isFatal),
  )
}

function isFatal(step: Step): boolean {
  if (step.do === 'options') return isWrong(step.change)
  if (step.do === 'other options') return isWrong(step.put)
  return step.do === 'set' && ['bigint', 'cycle', 'too large', 'large'].includes(step.value)
}

function isWrong({ maxAge, path, domain, sameSite, priority }: Partial<OptionShape>): boolean {
  const isNumber = maxAge === undefined || maxAge === null || Number.isFinite(maxAge)
  return (
    !isNumber ||
    path === '/\u0000' ||
    domain === 'a\nb' ||
    sameSite === 'never' ||
    priority === 'urgent'
  )
}

const tellsWhy: Intended = {
  name: 'warns',
  sentence:
    'Where a cookie cannot be sent, or soon cannot be, a warning says so, once: `secure` over plain http, a change after the headers, more than 80 % of the bytes.',
  align: ({ old, fresh }, { exchange }) => {
    const isMeant = (code: string) =>
      (code === 'WARN_INSECURE_HOP' && !exchange.tls) ||
      (code === 'WARN_TOO_LATE' && exchange.late.length > 0) ||
      code === 'WARN_COOKIE_LARGE'
    return { old, fresh: { ...fresh, warnings: fresh.warnings.filter((code) => !isMeant(code)) } }
  },
}

const onlyObjects: Intended = {
  name: 'only objects are sessions',
  sentence:
    'A signed text that is no object is an empty session; the old package spreads the characters of a text and the items of a list.',
  forOld: (sequence) => ({
    ...sequence,
    phases: sequence.phases.map((phase) => ({
      ...phase,
      exchanges: phase.exchanges.map((exchange) => {
        const { planted } = exchange
        if (planted === undefined || !/^[\d"[]/.test(planted.text)) return exchange
        return { ...exchange, planted: { ...planted, text: 'null' } }
      }),
    })),
  }),
}

const readsLate: Intended = {
  name: 'reads after the headers',
  sentence:
    'A session that is first read after the headers is there also where its signature would have to be sent again; the old package throws.',
  align: ({ old, fresh }, { exchange }) => {
    const isRefusal = (seen: unknown) => String(seen).includes('Cannot set headers after')
    const threw = old.saw.filter(isRefusal).length > fresh.saw.filter(isRefusal).length
    if (exchange.late.length === 0 || !threw) return { old, fresh }
    return { old: { ...old, saw: [] }, fresh: { ...fresh, saw: [] } }
  },
}

const keepsTheSpelling: Intended = {
  name: 'keeps the spelling of a header',
  sentence: 'A `set-cookie` of the application keeps its spelling.',
  align: ({ old, fresh }) => {
    const spelt = (account: ExchangeAccount): ExchangeAccount => {
      const { response } = account
      const headers = response.headers.map((line) => line.replace(/^set-cookie$/, 'Set-Cookie'))
      return { ...account, response: { ...response, headers } }
    }
    return { old: spelt(old), fresh: spelt(fresh) }
  },
}

export const INTENDED: readonly Intended[] = [
  failsInstead,
  tellsWhy,
  onlyObjects,
  readsLate,
  keepsTheSpelling,
]
