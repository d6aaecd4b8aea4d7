import { headersOfWriteHead } from './header-view.js'
import type { HeldCalls } from './held-calls.js'
import type { HoldSettings } from './holder.js'
import {
  isGone,
  isHttp2,
  type Listen,
  type Methods,
  type PipeSource,
  type ServerResponseLike,
} from './response-like.js'

/** The headers that say something about a body; without it they would be lies about the next one. */
const OF_THE_BODY = [
  'Content-Type',
  'Content-Length',
  'Content-Encoding',
  'Content-Language',
  'Content-Range',
  'Content-Disposition',
  'Transfer-Encoding',
  'Trailer',
  'ETag',
  'Last-Modified',
  'Location',
  'Cache-Control',
]
const OF_THE_BODY_KEYS = new Set(OF_THE_BODY.map((name) => name.toLowerCase()))

const BODY = 'Internal Server Error'

/**
 * Makes `res` a response that nobody has begun. Headers that describe the dropped body go; others,
 * such as CORS and CSP, stay, also those that `writeHead` brought, when `head` has its arguments.
 */
function resetResponse(res: ServerResponseLike, head: readonly unknown[] | undefined): void {
  res.statusCode = 200
  // On HTTP/2 there is no message, and touching the property gives a warning.
  if (!isHttp2(res) && res.statusMessage) res.statusMessage = ''
  // Removing a header that is not there is not nothing: Node then never adds it by itself.
  for (const name of OF_THE_BODY) {
    const value = res.getHeader(name)
    // Of another manager, whose cookie stays as well.
    if (name === 'Cache-Control' && String(value).includes('no-store')) continue
    if (value !== undefined) res.removeHeader(name)
  }
  dropTrailers(res)
  if (head === undefined) return
  const kept = new Map<string, { name: string; values: unknown[] }>()
  for (const [name, value] of headersOfWriteHead(head)) {
    const key = name.toLowerCase()
    if (OF_THE_BODY_KEYS.has(key)) continue
    const same = kept.get(key)
    if (same === undefined) kept.set(key, { name, values: [value] })
    else same.values.push(value)
  }
  for (const { name, values } of kept.values()) {
    res.setHeader(name, values.length === 1 ? values[0] : values.flat())
  }
}

/** HTTP/1 begins a new list with each call. HTTP/2 forgets none, so there nobody can have any. */
function dropTrailers(res: ServerResponseLike): void {
  if (!isHttp2(res)) {
    res.addTrailers?.({})
    return
  }
  const { stream } = res
  const send = stream?.sendTrailers
  if (stream !== undefined && send !== undefined) stream.sendTrailers = () => send.call(stream, {})
}

function statusOf(error: unknown): number {
  const { status, statusCode } = (error ?? {}) as { status?: unknown; statusCode?: unknown }
  for (const code of [status, statusCode]) {
    if (typeof code === 'number' && Number.isInteger(code) && code >= 400 && code <= 599)
      return code
  }
  return 500
}

/** A response that was thrown away, and what is needed to answer in its place. */
interface Dropped {
  readonly res: ServerResponseLike
  readonly held: HeldCalls
  /** What is piped into it. */
  readonly sources: readonly PipeSource[]
  /** The methods that `res` had before it was held. */
  readonly found: Methods
  /** Those that held it; they swallow everything by now. */
  readonly own: Methods
  readonly on: Listen
  readonly next: (error?: unknown) => void
  readonly settings: HoldSettings
  readonly error: unknown
  /** To be called once, before anybody else learns of the error. */
  answered(answer: 'next' | 'bare' | 'destroyed'): void
}

/** With the arguments of the dropped writeHead, if it was called. */
type Answerable = Dropped & { readonly head: readonly unknown[] | undefined }

/**
 * Throws the held calls away, and answers the error in their place. If it cannot know yet whether
 * the handler has ended, it gives what is to be called when the end arrives.
 */
export function dropResponse(response: Dropped): (() => void) | undefined {
  const { res, held, sources, own, next, settings, error } = response
  const first = held.first
  const head = first?.method === 'writeHead' ? first.args : undefined
  const dropped: Answerable = { ...response, head }
  held.drop(error)
  for (const source of sources) source.unpipe?.(res)
  if (isGone(res)) {
    response.answered('destroyed')
    return undefined
  }
  if (held.isEnded || sources.length > 0) {
    handOver(dropped)
    return undefined
  }
  // A handler that writes goes on writing, onto the page of whoever took the error.
  let onEnd: (() => void) | undefined
  if (res.end === own.end || !takesError(next)) answerBare(dropped, true)
  else onEnd = awaitEnd(dropped, settings)
  // Whoever waits for it goes on into methods that swallow, and comes to an end.
  if (held.owesDrain) held.drain(true)
  return onEnd
}

/**
 * Another `end` was put in front of ours (compression's), so the handler may have ended already,
 * with its bytes on their way here. If they come to an end, there is a place for an error page.
 */
function awaitEnd(dropped: Answerable, { clock, patience }: HoldSettings): () => void {
  let isOver = false
  const timer = clock.setTimeout(() => {
    isOver = true
    answerBare(dropped, true)
  }, patience)
  return () => {
    if (isOver) return
    isOver = true
    clock.clearTimeout(timer)
    handOver(dropped)
  }
}

const NAMES = ['writeHead', 'write', 'end', 'flushHeaders'] as const

/** Gives `res` back what was found on it; what others have put in front since goes with ours. */
function giveBack({ res, found, on }: Dropped): void {
  const own = res as unknown as Record<string, unknown>
  // compression redirects `on`: a later 'drain' would wait for a stream that has no data.
  for (const [name, method] of [
    ...NAMES.map((key) => [key, found[key]] as const),
    ['on', on] as const,
  ]) {
    if (own[name] === method) continue
    Reflect.deleteProperty(own, name)
    if (own[name] !== method) own[name] = method
  }
}

/** Gives the error to `next`, and sees to it that the client gets an answer all the same. */
function handOver(dropped: Answerable): void {
  const { res, next, error, settings, head } = dropped
  if (!takesError(next)) {
    answerBare(dropped, false)
    return
  }
  giveBack(dropped)
  quietly(() => resetResponse(res, head))
  dropped.answered('next')
  const unanswered = (): void => {
    if (!res.headersSent && !isGone(res)) sendBare(dropped, false)
  }
  // Thrown back, it was taken by nobody, and must not end the process.
  const thrown = (reason: unknown): void => {
    if (reason !== error) process.nextTick(rethrow, reason)
    unanswered()
  }
  const timer = settings.clock.setTimeout(unanswered, settings.patience)
  try {
    const result: unknown = next(error)
    if (result instanceof Promise) result.then(undefined, thrown)
  } catch (reason) {
    thrown(reason)
  }
  // Mostly so: in an outage every failed response would else be kept for that long.
  if (res.headersSent) settings.clock.clearTimeout(timer)
}

function rethrow(reason: unknown): never {
  throw reason
}

/** Answers in place of a handler that nobody could take the error from. */
function answerBare(dropped: Answerable, closes: boolean): void {
  const sent = sendBare(dropped, closes)
  dropped.answered(sent ? 'bare' : 'destroyed')
}

/**
 * Answers by a status and three words. Nothing about the error is told. Whatever the handler still
 * calls is swallowed from here on.
 *
 * The three calls are complete in themselves: a single `end(chunk)` of Node looks `writeHead` (on
 * HTTP/2 also `write`) up on `res` again, where ours swallow.
 */
function sendBare(dropped: Answerable, closes: boolean): boolean {
  const { res, found, own, error, head } = dropped
  giveBack(dropped)
  try {
    resetResponse(res, head)
    res.setHeader('Content-Type', 'text/plain; charset=utf-8')
    res.setHeader('Content-Length', BODY.length)
    if (closes && !isHttp2(res)) res.setHeader('Connection', 'close')
    found.writeHead.call(res, statusOf(error))
    if (res.req?.method !== 'HEAD') found.write.call(res, BODY)
    found.end.call(res)
    Object.assign(res, own)
    return true
  } catch {
    Object.assign(res, own)
    res.destroy()
    return false
  }
}

/** For what only makes an answer better, where a throw would prevent the answer. */
function quietly(run: () => void): void {
  try {
    run()
  } catch {
    // The headers of the dropped response were not acceptable: the answer goes without them.
  }
}

/** Tracers wrap `next` by a function that declares nothing and hands its arguments on. */
function takesError(next: (error?: unknown) => void): boolean {
  return next.length > 0 || /\barguments\b|\.\.\./.test(Function.prototype.toString.call(next))
}
