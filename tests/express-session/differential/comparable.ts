import type { Exchange, Host, OptionShape, Phase, Sequence, Step } from './sequence.js'

/**
 * The sequence without what cannot be compared by one rule for all: what the old package never
 * answers, and meetings of two things of which each is intended and has a test of its own.
 */
export function comparable(sequence: Sequence): Sequence {
  const [first, ...others] = sequence.phases.map((phase) => comparablePhase(phase, sequence.host))
  const phases = first === undefined ? [] : [first, ...others.map((one) => sameName(first, one))]
  return { ...sequence, phases }
}

/** The cookie keeps its name over a restart, or nothing would be found. */
function sameName({ options: { name, key } }: Phase, { options, exchanges }: Phase): Phase {
  const { name: _name, key: _key, ...rest } = options
  const named = {
    ...rest,
    ...(name === undefined ? {} : { name }),
    ...(key === undefined ? {} : { key }),
  }
  return { options: named, exchanges }
}

function comparablePhase(phase: Phase, host: Host): Phase {
  const { genid, ...options } = phase.options
  // Without a session, the old package takes every response for one that has unset it.
  const failsToLoad = genid === 'throws' && options.unset === 'destroy'
  return {
    options: failsToLoad ? options : phase.options,
    exchanges: phase.exchanges.map((exchange) => comparableExchange(exchange, phase.options, host)),
  }
}

function comparableExchange(
  { fault, ...exchange }: Exchange,
  options: OptionShape,
  host: Host,
): Exchange {
  const isStream = exchange.response === 'stream' || exchange.response === 'flushed head'
  // The client of a HEAD is gone when the headers have come.
  const isLate = isStream && exchange.late.length > 0 && exchange.method !== 'HEAD'
  const isSaved = exchange.steps.some((step) => step.do.startsWith('save'))
  const isPossible =
    !isLate &&
    !(fault?.operation === 'set' && isSaved) &&
    !(fault?.operation === 'load' && options.unset === 'destroy')
  // cookie-parser takes the first cookie of a name, whoever looks for it behind.
  const isHidden = host.cookieParser !== undefined && exchange.cookie === 'garbage before'
  // Where there is no id, nothing sensible can be asked of the store.
  const isIdless = options.genid === 'throws' || options.genid === 'nothing'
  const isAskable = ({ do: action }: Step) => !isIdless || !/save|regenerate|destroy/.test(action)
  const unawaited = isLate ? [] : exchange.steps.filter(isUnawaited).slice(0, 1)
  return {
    ...exchange,
    ...(fault !== undefined && isPossible ? { fault } : {}),
    cookie: isHidden ? 'kept' : exchange.cookie,
    // What comes after a call that nobody waits for has nothing to be compared by.
    steps: [...exchange.steps.filter((step) => !isUnawaited(step)), ...unawaited].filter(isAskable),
    late: isLate ? exchange.late.filter(isAskable) : [],
  }
}

function isUnawaited(step: Step): boolean {
  return step.do.endsWith(', no callback')
}
