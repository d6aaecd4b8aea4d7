import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { request, session, shapes } from './http2.js'
import { HandHolder, hold, settingsWith } from './raw-http.js'

const error = new Error('secret of the store')

describe('over HTTP/2', () => {
  describe.each(Object.entries(shapes))('%s', (_, answer) => {
    it.each(['GET', 'HEAD'])('is answered to %s as by plain Node, held or not', async (method) => {
      const plain = await request(await session((_, res) => answer(res)), method)
      const clean = new HandHolder()
      clean.beginWith = () => undefined
      const passed = await session((_, res) => {
        hold(res, clean)
        answer(res)
      })
      expect(await request(passed, method)).toEqual(plain)
      const holder = new HandHolder()
      const held = await session((_, res) => {
        hold(res, holder)
        answer(res)
        holder.begun.then(() =>
          setImmediate(() =>
            holder.answer((headers) => {
              headers.append('Set-Cookie', 'sid=1')
            }),
          ),
        )
      })
      const { headers, body, reset } = await request(held, method)
      const own = plain.headers['set-cookie'] ?? []
      expect({ headers: { ...headers, 'set-cookie': own }, body, reset }).toEqual({
        ...plain,
        headers: { ...plain.headers, 'set-cookie': own },
      })
      expect(headers['set-cookie']).toEqual([...own, 'sid=1'])
      await holder.over
      expect(holder.reports).toEqual([])
    })
  })

  it('the response looks sent while it is held', async () => {
    const holder = new HandHolder()
    const seen: unknown[] = []
    const client = await session((_, res) => {
      hold(res, holder)
      res.writeHead(201)
      seen.push(res.headersSent, res.statusCode)
      for (const run of [
        () => res.setHeader('a', 'b'),
        () => res.removeHeader('a'),
        () => res.writeHead(200),
      ]) {
        try {
          run()
        } catch (thrown) {
          seen.push((thrown as { code?: string }).code)
        }
      }
      res.end('x')
      seen.push(res.finished, res.writableEnded)
      holder.answer()
    })
    expect((await request(client)).headers[':status']).toBe(201)
    const code = 'ERR_HTTP2_HEADERS_SENT'
    expect(seen).toEqual([true, 201, code, code, code, true, true])
  })

  it('a failed begin drops the trailers of the dropped body', async () => {
    const holder = new HandHolder()
    const client = await session((_, res) => {
      hold(res, holder, settingsWith(), (_reason) => void res.end('page'))
      res.write('dropped')
      res.addTrailers({ 'x-sum': 'of what was dropped' })
      res.end()
      holder.fail(error)
    })
    const stream = client.request({ ':path': '/' })
    const trailers: unknown[] = []
    stream.on('trailers', (received) => trailers.push({ ...received }))
    const chunks: Buffer[] = []
    stream.on('data', (chunk) => chunks.push(chunk))
    await once(stream, 'close')
    expect(Buffer.concat(chunks).toString()).toBe('page')
    expect(trailers.filter((one) => Object.keys(one as object).length > 0)).toEqual([])
  })

  it('no frame of the response leaves before the answer', async () => {
    const holder = new HandHolder()
    const client = await session((_, res) => {
      hold(res, holder)
      res.end('x')
    })
    const stream = client.request({ ':path': '/' })
    stream.on('response', () => holder.log.push('response'))
    stream.resume()
    await holder.begun
    // A ping is answered in order: what was sent before it has arrived.
    await new Promise<void>((resolve) => client.ping(() => resolve()))
    expect(holder.log).toEqual(['begin'])
    holder.answer()
    await once(stream, 'close')
    expect(holder.log).toEqual(['begin', 'answer', 'ended', 'response'])
  })

  it.each(['answer', 'fail'] as const)(
    'a stream that was reset while held takes an %s',
    async (how) => {
      const holder = new HandHolder()
      const results: unknown[] = []
      const client = await session((_, res) => {
        hold(res, holder)
        res.write('a', (reason) => results.push(reason instanceof Error))
        res.once('close', () => {
          res.write('b', (reason) => results.push(reason instanceof Error))
          res.end('c')
          setImmediate(() => (how === 'answer' ? holder.answer() : holder.fail(error)))
        })
      })
      const stream = client.request({ ':path': '/' })
      stream.on('error', () => {})
      await holder.begun
      stream.close(8)
      await holder.over
      await new Promise(setImmediate)
      expect(results).toEqual([true, true])
      expect(holder.reports).toEqual(
        how === 'answer' ? [] : [{ type: 'failed', error, answer: 'destroyed' }],
      )
    },
  )

  it('a response that its handler destroyed while it was held is not written to', async () => {
    const holder = new HandHolder()
    const results: unknown[] = []
    const client = await session((_, res) => {
      hold(res, holder)
      res.on('error', (reason) => results.push(reason))
      res.write('a', (reason) => results.push((reason as { code?: string }).code))
      res.stream.close(8)
      holder.answer()
    })
    const stream = client.request({ ':path': '/' })
    stream.on('error', () => {})
    await holder.over
    await once(stream, 'close')
    expect(results).toEqual(['ERR_STREAM_DESTROYED'])
    expect(holder.log).toEqual(['begin', 'answer', 'ended'])
  })

  it('a large file is piped whole', async () => {
    const holder = new HandHolder()
    const client = await session((_, res) => {
      hold(res, holder)
      createReadStream(process.execPath, { end: 3_000_000 }).pipe(res)
      setTimeout(() => holder.answer(), 0)
    })
    const stream = client.request({ ':path': '/' })
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk)
    const expected = (await readFile(process.execPath)).subarray(0, 3_000_001)
    expect(Buffer.concat(chunks).equals(expected)).toBe(true)
  })

  it('a failed begin gives the error to next, and the page arrives', async () => {
    const holder = new HandHolder()
    const client = await session((_, res) => {
      hold(res, holder, settingsWith(), (_reason) => {
        res.statusCode = 503
        res.end('page')
      })
      res.writeHead(200, { etag: '"1"', 'x-kept': '1' })
      res.end('dropped')
      holder.fail(error)
    })
    const { headers, body } = await request(client)
    expect(headers).toMatchObject({ ':status': 503, 'x-kept': '1' })
    expect(headers).not.toHaveProperty('etag')
    expect(body).toBe('page')
  })

  it.each(['GET', 'HEAD'])(
    'a handler that goes on writing gets a bare 500 for %s',
    async (method) => {
      const holder = new HandHolder()
      const client = await session((_, res) => {
        hold(res, holder, settingsWith(), (_reason) => {})
        res.write('dropped')
        holder.fail(error)
        holder.over.then(() => {
          res.write('more')
          res.end('more')
        })
      })
      const { headers, body } = await request(client, method)
      expect(headers[':status']).toBe(500)
      expect(body).toBe(method === 'GET' ? 'Internal Server Error' : '')
      expect(holder.reports).toEqual([{ type: 'failed', error, answer: 'bare' }])
    },
  )
})
