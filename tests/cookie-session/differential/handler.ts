import type { ServerResponse } from 'node:http'
import type { OldRequest, OldSession } from '../implementations.js'
import { type Attributes, type Exchange, REPLACEMENTS, type Step, VALUES } from './sequence.js'

export interface Visit {
  readonly req: OldRequest
  readonly res: ServerResponse & {
    json?(value: unknown): void
    redirect?(place: string): void
  }
  readonly exchange: Exchange
  readonly start: number
  readonly saw: unknown[]
  /** What a handler does with an error: hands it to `next`. */
  readonly fail: (error: unknown) => void
}

export function attributesOf(
  { expiresIn, ...rest }: Attributes,
  start: number,
): Record<string, unknown> {
  return expiresIn === undefined ? rest : { ...rest, expires: new Date(start + expiresIn) }
}

/** Does the steps one after the other, as a handler with `await` does. */
export async function runSteps(visit: Visit, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    try {
      await runStep(visit, step)
    } catch (error) {
      visit.saw.push(`${step.do} threw ${String(error)}`)
    }
  }
}

async function runStep({ req, res, start, saw }: Visit, step: Step): Promise<void> {
  switch (step.do) {
    case 'wait':
      return new Promise((resolve) => void setImmediate(resolve))
    case 'null':
      req.session = null
      return
    case 'undefined':
      req.session = undefined as never
      return
    case 'itself':
      // biome-ignore lint/correctness/noSelfAssign: programs do it to send the cookie again
      req.session = req.session
      return
    case 'replace':
      req.session = REPLACEMENTS[step.with]() as never
      return
    case 'options':
      Object.assign(req.sessionOptions, attributesOf(step.change, start))
      return
    case 'other options':
      req.sessionOptions = attributesOf(step.put, start)
      return
    case 'cookie of the app':
      res.appendHeader('Set-Cookie', 'theme=dark; Path=/')
      return
    case 'cookie of the same name':
      for (const name of ['session', 'session.sig', 'sess', 'a.b']) {
        res.appendHeader('Set-Cookie', `${name}=app; Path=/app`)
      }
      return
    case 'header in lower case':
      res.setHeader('set-cookie', 'only=this')
      return
    default: {
      const { session } = req
      if (session === null) saw.push('no session')
      else onSession(session, step, saw)
    }
  }
}

function onSession(session: OldSession, step: Step, saw: unknown[]): void {
  switch (step.do) {
    case 'set':
      ;(session as Record<string, unknown>)[step.key] = VALUES[step.value]()
      break
    case 'delete':
      delete session[step.key]
      break
    case 'count':
      session.views = ((session.views as number | undefined) ?? 0) + 1
      break
    case 'push':
      session.list = Array.isArray(session.list) ? [...session.list, 'more'] : ['first']
      break
    case 'set the same again':
      for (const key of Object.keys(session)) session[key] = structuredClone(session[key])
      break
    case 'reorder':
      for (const key of Object.keys(session).reverse()) {
        const value = session[key]
        delete session[key]
        session[key] = value
      }
      break
    case 'read':
      saw.push(look(session))
      break
  }
}

/** What can be seen of a session. */
function look(session: OldSession): unknown {
  const members: string[] = []
  for (const name in session) members.push(name)
  return {
    keys: Object.keys(session),
    members,
    isNew: session.isNew,
    isPopulated: session.isPopulated,
    polluted: (session as { polluted?: unknown }).polluted,
    name: session.constructor.name,
    prototypeOfPrototype:
      Object.getPrototypeOf(Object.getPrototypeOf(session)) === Object.prototype,
    text: JSON.stringify(session),
    isChanged: session.isChanged,
    hasContext: '_ctx' in session,
  }
}

const body = 'This is the body of Zoë.'

/** Answers in the form that the exchange names. */
export async function respond(visit: Visit): Promise<void> {
  const { exchange, res } = visit
  switch (exchange.response) {
    case 'json':
      if (res.json !== undefined) return res.json({ body })
      return void res.end(JSON.stringify({ body }))
    case 'redirect':
      if (res.redirect !== undefined) return res.redirect('/next')
      return void res.writeHead(302, { Location: '/next' }).end()
    case 'end':
      return void res.end(body)
    case 'end empty':
      return void res.end()
    case 'write and end':
      res.write(body)
      return void res.end('!')
    case 'stream':
      res.write(body)
      await runSteps(visit, exchange.late)
      return void res.end('!')
    case 'flushed head':
      res.flushHeaders()
      await runSteps(visit, exchange.late)
      return void res.end(body)
    case 'writeHead':
      res.writeHead(201)
      return void res.end(body)
    case 'writeHead with headers':
      res.setHeader('X-App', 'before')
      res.writeHead(202, 'Fine', { 'X-App': 'yes', 'Content-Type': 'text/plain' })
      return void res.end(body)
    case 'writeHead with a list':
      res.writeHead(200, ['X-App', 'one', 'X-Other', 'two'])
      return void res.end(body)
    case 'writeHead with cookies':
      res.writeHead(200, { 'Set-Cookie': ['one=1', 'two=2'] })
      return void res.end(body)
    case 'not modified':
      res.statusCode = 304
      return void res.end()
    case 'throws':
      throw Object.assign(new Error('the handler threw'), { status: 418 })
    case 'next(err)':
      return visit.fail(new Error('the handler failed'))
  }
}
