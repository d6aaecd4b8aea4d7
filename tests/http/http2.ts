import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

type Handler = (req: Http2ServerRequest, res: Http2ServerResponse) => void
const here = fileURLToPath(import.meta.url)

/** A server of HTTP/2 without TLS, and a client on it. Both end with the test. */
export async function session(handler: Handler): Promise<ClientHttp2Session> {
  const server = createServer(handler)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  client.on('error', () => {})
  onTestFinished(() => {
    client.destroy()
    server.close()
  })
  return client
}

/** What arrived for one request; the date is left out. */
export interface Answered {
  headers: IncomingHttpHeaders
  body: string
  reset: number
}

/** Sends one request, and waits until its stream is closed. */
export async function request(
  client: ClientHttp2Session,
  method = 'GET',
  headers: { cookie?: string } = {},
): Promise<Answered> {
  const stream = client.request({ ':method': method, ':path': '/', ...headers })
  let answered: IncomingHttpHeaders = {}
  stream.on('response', (received) => {
    const { date: _, ...others } = received
    answered = others
  })
  stream.on('error', () => {})
  const chunks: Buffer[] = []
  stream.on('data', (chunk) => chunks.push(chunk))
  stream.end()
  await once(stream, 'close')
  return { headers: answered, body: Buffer.concat(chunks).toString(), reset: stream.rstCode }
}

/** Every way to answer, by the calls it takes. */
export const shapes: Record<string, (res: Http2ServerResponse) => void> = {
  'end alone': (res) => void res.end(),
  'end with a text': (res) => void res.end('hello'),
  'a write and an end': (res) => {
    res.write('hel')
    res.end('lo')
  },
  'a redirect': (res) => {
    res.writeHead(302, { location: '/users' })
    res.end()
  },
  'headers set and given': (res) => {
    res.setHeader('x-a', '1')
    res.setHeader('Set-Cookie', ['overridden=1'])
    res.writeHead(201, { 'X-B': '2', 'Set-Cookie': ['a=1', 'b=1'] })
    res.end('x')
  },
  'own cookies': (res) => {
    res.setHeader('Set-Cookie', 'a=1')
    res.end('x')
  },
  'no content': (res) => {
    res.statusCode = 204
    res.end()
  },
  'not modified': (res) => {
    res.writeHead(304)
    res.end()
  },
  'flushed headers': (res) => {
    ;(res as unknown as { flushHeaders(): void }).flushHeaders()
    res.write('data: 1\n\n')
    res.end()
  },
  'a second end': (res) => {
    res.end('x')
    res.end('y')
  },
  'a piped file': (res) => void createReadStream(here).pipe(res),
}
