import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Visit } from './handler.js'
import { runSteps } from './handler.js'

/** A response with the methods of Express, where there are any. */
interface Replying extends ServerResponse {
  json?(value: unknown): void
  send?(text: string): void
  redirect?(place: string): void
}

const body = 'This is the body of Zoë.'

/** Answers in the form that the exchange names. */
export async function respond(visit: Visit): Promise<void> {
  const { exchange } = visit
  const res: Replying = visit.res
  const length = { 'Content-Length': Buffer.byteLength(body) }
  switch (exchange.response) {
    case 'json':
      if (res.json !== undefined) return res.json({ body })
      res.setHeader('Content-Type', 'application/json')
      return void res.end(JSON.stringify({ body }), 'utf8')
    case 'html':
      if (res.send !== undefined) return res.send(`<p>${body}</p>`)
      return void res.end(`<p>${body}</p>`)
    case 'redirect':
      if (res.redirect !== undefined) return res.redirect('/next')
      return void res.writeHead(302, { Location: '/next' }).end()
    case 'end':
      return void res.end(body)
    case 'end with length':
      res.setHeader('Content-Length', length['Content-Length'])
      return void res.end(body)
    case 'end a buffer':
      return void res.end(Buffer.from(body))
    case 'end empty':
      return void res.end()
    case 'write and end':
      res.write(body)
      res.write('', 'utf8')
      return void res.end('!')
    case 'stream':
      res.write(body)
      await runSteps(visit, exchange.late)
      return void res.end('!')
    case 'flushed head':
      res.flushHeaders()
      await runSteps(visit, exchange.late)
      return void res.end(body)
    case 'pipe':
      return void Readable.from([body, '!']).pipe(res)
    case 'no content':
      res.statusCode = 204
      return void res.end()
    case 'not modified':
      res.statusCode = 304
      return void res.end()
    case 'writeHead':
      res.writeHead(201)
      return void res.end(body)
    case 'writeHead with headers':
      res.setHeader('X-App', 'before')
      res.writeHead(202, 'Fine', { 'X-App': 'yes', 'Content-Type': 'text/plain', ...length })
      return void res.end(body)
    case 'writeHead with a list':
      res.writeHead(200, ['X-App', 'one', 'X-Other', 'two'])
      return void res.end(body)
    case 'writeHead with cookies':
      res.writeHead(200, { 'Set-Cookie': ['one=1', 'two=2'] })
      return void res.end(body)
    case 'ends twice':
      res.end(body)
      return void res.end('again')
    case 'forbidden':
      res.statusCode = 403
      return void res.end(body)
    case 'throws':
      throw Object.assign(new Error('the handler threw'), { status: 418 })
    case 'next(err)':
      return visit.fail(new Error('the handler failed'))
  }
}
