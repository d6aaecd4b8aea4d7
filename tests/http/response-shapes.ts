import type { ServerResponse } from 'node:http'
import { get } from './raw-http.js'

/** A handler that answers in one way. */
export type Shape = (res: ServerResponse) => void

/** Every way to answer, by the calls it takes. */
export const shapes: Record<string, Shape> = {
  'end alone': (res) => res.end(),
  'end with a text': (res) => res.end('hello'),
  'end with bytes and a callback': (res) => res.end(Buffer.from('hello'), () => {}),
  'end with a callback only': (res) => res.end(() => {}),
  'a text in another encoding': (res) => res.end('aGVsbG8=', 'base64'),
  'a write and an end': (res) => {
    res.write('hel')
    res.end('lo')
  },
  'writes in several encodings': (res) => {
    res.write('é')
    res.write('é', 'latin1')
    res.write('6869', 'hex')
    res.end()
  },
  'a redirect': (res) => {
    res.writeHead(302, { Location: '/users' })
    res.end()
  },
  'headers set and given': (res) => {
    res.setHeader('X-A', '1')
    res.setHeader('Content-Type', 'text/plain')
    res.writeHead(201, 'Made', { 'content-type': 'text/html', 'X-B': ['1', '2'] })
    res.end('x')
  },
  'headers in a flat array': (res) => {
    res.writeHead(200, ['X-A', '1', 'x-a', '2', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=1'])
    res.end('x')
  },
  'headers in a flat array besides set ones': (res) => {
    res.setHeader('X-Z', '1')
    res.writeHead(200, ['X-A', '1', 'Set-Cookie', 'a=1'])
    res.end('x')
  },
  'a name repeated in a list, with several values': (res) => {
    res.setHeader('X-Z', '1')
    res.writeHead(200, ['X-A', ['1'], 'X-A', ['2', '3']] as never)
    res.end('x')
  },
  'headers in pairs': (res) => {
    res.writeHead(200, [
      ['X-A', '1'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=1'],
    ] as never)
    res.end('x')
  },
  'own cookies set as an array': (res) => {
    res.setHeader('set-cookie', ['a=1', 'b=2'])
    res.end('x')
  },
  'own cookies given in an object': (res) => {
    res.setHeader('Set-Cookie', 'overridden=1')
    res.writeHead(200, { 'SET-COOKIE': 'a=1' })
    res.end('x')
  },
  'a status without a body': (res) => {
    res.statusCode = 204
    res.end()
  },
  'an unmodified response': (res) => {
    res.writeHead(304, { ETag: '"1"' })
    res.end()
  },
  'a message of its own': (res) => {
    res.statusCode = 404
    res.statusMessage = 'Gone fishing'
    res.end('x')
  },
  'a message kept by writeHead': (res) => {
    res.statusMessage = 'Mine'
    res.writeHead(404)
    res.end('x')
  },
  'a length that was set': (res) => {
    res.setHeader('Content-Length', 5)
    res.write('hello')
    res.end()
  },
  'flushed headers and events': (res) => {
    res.setHeader('Content-Type', 'text/event-stream')
    res.flushHeaders()
    res.write('data: 1\n\n')
    res.end('data: 2\n\n')
  },
  trailers: (res) => {
    if (res.req.httpVersion === '1.0' || res.req.method === 'HEAD') return void res.end()
    res.setHeader('Trailer', 'X-Sum')
    res.write('x')
    res.addTrailers({ 'X-Sum': '1' })
    res.end()
  },
  'a status changed after the headers': (res) => {
    res.writeHead(201)
    res.statusCode = 500
    res.end('x')
  },
  'an end without headers of its own': (res) => {
    res.removeHeader('Date')
    res.removeHeader('Connection')
    res.end('x')
  },
  'a second end': (res) => {
    res.end('x')
    res.end()
  },
  'early hints first': (res) => {
    res.writeEarlyHints({ link: '</a.css>; rel=preload' })
    res.end('x')
  },
}

/** What is asked of each shape. */
export const requests = {
  'HTTP/1.1': get(),
  'HTTP/1.0': get('/', '', 'GET', '1.0'),
  HEAD: get('/', '', 'HEAD'),
}
