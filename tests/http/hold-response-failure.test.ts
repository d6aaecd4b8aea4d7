import { createReadStream } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { pipeline, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import compression from 'compression'
import express from 'express'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../src/testing/fake-clock.js'
import {
  exchange,
  fence,
  get,
  HandHolder,
  hold,
  isFence,
  listen,
  RawClient,
  serve,
  settingsWith,
  split,
} from './raw-http.js'

const express4 = createRequire(import.meta.url)('express4') as typeof express
const here = fileURLToPath(import.meta.url)
const error = Object.assign(new Error('secret of the store'), { status: 503 })
const keepAlive = get().replace('Connection: close\n', '')
const BARE = 'Internal Server Error'

type Answer = (res: ServerResponse) => void

const whole: Record<string, Answer> = {
  'a single end': (res) => res.end('dropped'),
  'writes and an end': (res) => {
    res.write('dropped')
    res.end('dropped')
  },
  'a redirect': (res) => void res.writeHead(302, 'Off', { Location: '/users' }).end(),
  'a piped file': (res) => void createReadStream(here).pipe(res),
  'a pipeline': (res) => pipeline(createReadStream(here), res, () => {}),
  'an empty response': (res) => {
    res.statusCode = 204
    res.end()
  },
}

function page(_: unknown, res: ServerResponse, reason: unknown): void {
  expect(res.headersSent).toBe(false)
  expect([res.statusCode, res.statusMessage || '']).toEqual([200, ''])
  res.statusCode = (reason as { status: number }).status
  res.end(`page for ${res.statusCode}`)
}

type App = (holder: HandHolder, answer: Answer) => Promise<number>
const underExpress =
  (make: typeof express, compress?: 'before' | 'after'): App =>
  (holder, answer) => {
    const app = make()
    if (compress === 'before') app.use(compression({ threshold: 0 }))
    app.use((_, res, next) => {
      hold(res, holder, settingsWith(), next)
      next()
    })
    if (compress === 'after') app.use(compression({ threshold: 0 }))
    app.get('/', (_, res) => {
      // Without a type, compression leaves it alone.
      res.setHeader('Content-Type', 'text/plain')
      answer(res)
      holder.fail(error)
    })
    app.use((reason: unknown, _: express.Request, res: express.Response, next: unknown) => {
      expect(typeof next).toBe('function')
      page(_, res, reason)
    })
    return listen(createServer(app))
  }

const hostings: Record<string, App> = {
  'Express 5': underExpress(express),
  'Express 4': underExpress(express4),
  'Express 5, compression before': underExpress(express, 'before'),
  'Express 5, compression after': underExpress(express, 'after'),
  'a plain callback': (holder, answer) =>
    serve((req, res) => {
      hold(res, holder, settingsWith(), (reason) => page(req, res, reason))
      answer(res)
      holder.fail(error)
    }),
}

describe.each(Object.entries(hostings))('a failed begin under %s', (hosting, start) => {
  it.each(Object.entries(whole))(
    'gives a complete error page in place of %s',
    async (_, answer) => {
      const holder = new HandHolder()
      const port = await start(holder, answer)
      const { head, body } = split(await exchange(port, get('/', 'Accept-Encoding: gzip\n')))
      expect(head).toContain('503 Service Unavailable')
      expect(head).not.toMatch(/location|etag|last-modified/i)
      expect(head).not.toMatch(/content-encoding/i)
      expect(body).toContain('page for 503')
      expect(head + body).not.toContain('dropped')
      expect(holder.log.filter((entry) => entry !== 'finish')).toEqual(['begin', 'fail', 'ended'])
      expect(holder.reports).toEqual([{ type: 'failed', error, answer: 'next' }])
    },
  )

  it('keeps the connection', async () => {
    let count = 0
    const port = await start(new HandHolder(), (res) => {
      count++
      res.setHeader('Content-Length', 7)
      res.end('dropped')
    })
    const client = new RawClient(port).send(keepAlive)
    await client.until('page for 503')
    expect(client.socket.destroyed).toBe(false)
    expect(count).toBe(1)
  })

  // Behind compression it is seen only that the end does not come: a test of its own, below.
  it.skipIf(hosting.includes('after'))(
    'ends the connection of a handler that goes on',
    async () => {
      const holder = new HandHolder()
      let finished!: () => void
      const done = new Promise<void>((resolve) => {
        finished = resolve
      })
      const port = await start(holder, (res) => {
        res.write('dropped')
        const write = () => {
          if (res.write('more') === false) res.once('drain', write)
          else res.end('the end', finished)
        }
        holder.over.then(write)
      })
      const { head, body } = split(await exchange(port, keepAlive))
      await done
      expect(head).toContain('503 Service Unavailable')
      expect(head).toContain('Connection: close')
      expect(body).toBe(BARE)
      expect(holder.reports).toEqual([{ type: 'failed', error, answer: 'bare' }])
    },
  )
})

describe('a failed begin', () => {
  const failing = async (
    answer: Answer,
    next: (error?: unknown) => void,
    request = get(),
    clock = new FakeClock(),
    reason: unknown = error,
  ) => {
    const holder = new HandHolder()
    const port = await serve((_, res) => {
      hold(res, holder, settingsWith(clock), next)
      answer(res)
      holder.fail(reason)
    })
    return { holder, port, text: await exchange(port, request) }
  }

  it('by a throw is answered like one by a rejection', async () => {
    const holder = new HandHolder()
    holder.beginWith = () => {
      throw error
    }
    const port = await serve((req, res) => {
      hold(res, holder, settingsWith(), (reason) => page(req, res, reason))
      res.write('dropped')
      res.end('dropped')
    })
    expect(split(await exchange(port)).body).toBe('page for 503')
    expect(holder.log).toEqual(['begin', 'ended'])
  })

  it.each([
    [503, { status: 503 }],
    [404, { statusCode: 404 }],
    [500, { status: 200 }],
    [500, { status: '503' }],
    [500, null],
    [500, 'text'],
  ])('is answered bare with %i where next takes nothing', async (status, reason) => {
    const { holder, text } = await failing(
      (res) => res.end('x'),
      () => {},
      get(),
      undefined,
      reason,
    )
    const { head, body } = split(text)
    expect(head).toContain(`HTTP/1.1 ${status} `)
    expect(head).toContain('Content-Type: text/plain')
    expect(body).toBe(BARE)
    expect(text).not.toContain('secret')
    expect(holder.reports).toEqual([{ type: 'failed', error: reason, answer: 'bare' }])
  })

  it('has no body for HEAD', async () => {
    const { text } = await failing(
      (res) => res.end('x'),
      () => {},
      get('/', '', 'HEAD'),
    )
    expect(split(text).body).toBe('')
    expect(text).toContain('Content-Length: 21')
  })

  it('keeps CORS and CSP, and drops what describes the dropped body', async () => {
    const { text } = await failing(
      (res) => {
        res.setHeader('Content-Security-Policy', "default-src 'self'")
        res.setHeader('Cache-Control', 'public')
        res.setHeader('Content-Disposition', 'attachment')
        res.setHeader('Trailer', 'X-Sum')
        res.writeHead(200, [
          ...['Access-Control-Allow-Origin', '*', 'ETag', '"1"'],
          ...['content-encoding', 'gzip', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=1'],
        ])
        res.end('x')
      },
      () => {},
    )
    const { head } = split(text)
    expect(head).toContain("Content-Security-Policy: default-src 'self'")
    expect(head).toContain('Access-Control-Allow-Origin: *')
    expect(head.match(/Set-Cookie: \w=1/g)).toEqual(['Set-Cookie: a=1', 'Set-Cookie: b=1'])
    expect(head).not.toMatch(/cache-control|disposition|trailer|etag|encoding/i)
  })

  it.each<[string, (next: (error?: unknown) => void) => (...args: unknown[]) => unknown]>([
    [
      'its arguments',
      (next) =>
        function (this: unknown) {
          // biome-ignore lint/complexity/noArguments: what tracers do
          return Reflect.apply(next, this, arguments)
        },
    ],
    [
      'the rest of them',
      (next) =>
        (...args) =>
          next(...args),
    ],
  ])(
    'is given to a next that a tracer has wrapped, declaring nothing and passing on %s',
    async (_, wrapped) => {
      const holder = new HandHolder()
      const port = await serve((_req, res) => {
        const next = (reason?: unknown) => void res.end(`page for ${(reason as Error).message}`)
        hold(res, holder, settingsWith(), wrapped(next))
        res.end('x')
        holder.fail(error)
      })
      expect(split(await exchange(port)).body).toBe(`page for ${error.message}`)
    },
  )

  it('keeps no-store, since somebody else may have set a cookie, and no other Cache-Control', async () => {
    for (const [set, sent] of [
      ['no-store', 'no-store'],
      ['public, max-age=60', undefined],
    ] as const) {
      const holder = new HandHolder()
      let kept: unknown = 'not asked'
      const port = await serve((_req, res) => {
        hold(res, holder, settingsWith(), (_reason) => {
          kept = res.getHeader('Cache-Control')
          res.end('page')
        })
        res.setHeader('Cache-Control', set)
        res.end('x')
        holder.fail(error)
      })
      await exchange(port)
      expect(kept).toBe(sent)
    }
  })

  it('drops the trailers of the dropped body', async () => {
    const holder = new HandHolder()
    const port = await serve((_req, res) => {
      hold(res, holder, settingsWith(), (_reason) => {
        res.write('pa')
        res.end('ge')
      })
      res.setHeader('Trailer', 'X-Sum')
      res.write('dropped')
      res.addTrailers({ 'X-Sum': 'of what was dropped' })
      res.end()
      holder.fail(error)
    })
    const text = await exchange(port)
    expect(text).toContain('ge\r\n0\r\n\r\n')
    expect(text).not.toContain('of what was dropped')
  })

  it('is answered bare when a promise wrapper ignores the second next', async () => {
    const clock = new FakeClock()
    const holder = new HandHolder()
    let late!: ServerResponse
    let lateCalls = 0
    const port = await serve((req, res) => {
      if (isFence(req, res)) return
      late = res
      const passed = new Promise<void>((resolve, reject) => {
        hold(res, holder, settingsWith(clock), (reason) => (reason ? reject(reason) : resolve()))
        resolve()
      })
      passed.then(() => res.end('x'))
    })
    const client = new RawClient(port).send(get())
    await holder.begun
    holder.fail(error)
    await holder.over
    await clock.advance(1_999)
    await fence(port)
    expect(client.text).toBe('')
    await clock.advance(1)
    await client.closed
    expect(split(client.text).body).toBe(BARE)
    expect(holder.reports).toEqual([{ type: 'failed', error, answer: 'next' }])
    late.write('swallowed', () => lateCalls++)
    late.end('swallowed', () => lateCalls++)
    await new Promise(setImmediate)
    expect(lateCalls).toBe(2)
  })

  it('leaves an error page alone that began in time', async () => {
    const clock = new FakeClock()
    const holder = new HandHolder()
    let res!: ServerResponse
    const port = await serve((_, response) => {
      res = response
      hold(res, holder, settingsWith(clock), (_reason) => void res.write('slow '))
      res.end('x')
      holder.fail(error)
    })
    const client = new RawClient(port).send(get('/', '', 'GET', '1.0'))
    await client.until('slow ')
    await clock.advance(5_000)
    res.end('page')
    await client.closed
    expect(split(client.text).body).toBe('slow page')
  })

  it.each<[string, (reason?: unknown) => unknown]>([
    [
      'throws it back',
      (reason) => {
        throw reason
      },
    ],
    ['rejects with it', async (reason) => Promise.reject(reason)],
  ])('is answered bare when next %s', async (_, next) => {
    const { text } = await failing((res) => res.end('x'), next as (reason?: unknown) => void)
    expect(split(text).body).toBe(BARE)
  })

  it('gives its callbacks the error, in order', async () => {
    const seen: unknown[] = []
    await failing(
      (res) => {
        res.write('a', (reason) => seen.push(['a', reason]))
        res.end('b', (...args: unknown[]) => seen.push(['b', args[0]]))
      },
      () => {},
    )
    expect(seen).toEqual([
      ['a', error],
      ['b', error],
    ])
  })

  it('is told, and answered by nobody, when the client has left', async () => {
    const holder = new HandHolder()
    const next = (_error?: unknown) => holder.log.push('next')
    const port = await serve((_, res) => {
      hold(res, holder, settingsWith(), next)
      res.end('x')
      res.once('close', () => holder.fail(error))
    })
    const client = new RawClient(port).send(get())
    await holder.begun
    client.socket.destroy()
    await holder.over
    expect(holder.log).toEqual(['begin', 'fail', 'ended'])
    expect(holder.reports).toEqual([{ type: 'failed', error, answer: 'destroyed' }])
  })

  it('keeps what was piped off an error page that takes its time', async () => {
    const piped = new Readable({ read() {} })
    const holder = new HandHolder()
    const port = await serve((_, res) => {
      hold(res, holder, settingsWith(), (_reason) => {
        res.write('-'.repeat(1_000_000))
        res.once('drain', () => setImmediate(() => res.end('page')))
      })
      piped.push('dropped')
      piped.pipe(res)
      setImmediate(() => {
        piped.push('dropped too')
        holder.fail(error)
      })
    })
    const { body } = split(await exchange(port, get('/', '', 'GET', '1.0')))
    expect(body).toBe(`${'-'.repeat(1_000_000)}page`)
  })

  it('takes a source that had ended, leaving its handler to write, for one that goes on', async () => {
    const holder = new HandHolder()
    const port = await serve((_, res) => {
      hold(res, holder, settingsWith(), (_reason) => void res.end('page'))
      const source = Readable.from([])
      source.pipe(res, { end: false })
      source.on('close', () => {
        res.write('x')
        holder.fail(error)
        holder.over.then(() => res.end('y'))
      })
    })
    expect(split(await exchange(port, keepAlive)).body).toBe(BARE)
  })

  it('waits for the end of a handler that hides behind compression, and not for ever', async () => {
    const clock = new FakeClock()
    const holder = new HandHolder()
    const app = express()
    let response!: express.Response
    app.use((_, res, next) => {
      response = res
      hold(res, holder, settingsWith(clock), next)
      next()
    })
    app.use(compression({ threshold: 0 }))
    app.get('/', (_, res) => {
      res.type('text').write('x')
    })
    const port = await listen(createServer(app))
    const client = new RawClient(port).send(get('/', 'Accept-Encoding: gzip\n'))
    await holder.begun
    holder.fail(error)
    while (clock.pending === 0) await new Promise(setImmediate)
    await clock.advance(2_000)
    await client.closed
    expect(split(client.text).body).toBe(BARE)
    response.write('swallowed')
    response.end('swallowed')
    expect(holder.reports).toEqual([{ type: 'failed', error, answer: 'bare' }])
  })

  it('answers what was pipelined behind it', async () => {
    let count = 0
    const port = await serve((req: IncomingMessage, res) => {
      const holder = new HandHolder()
      hold(res, holder, settingsWith(), (_reason) => void res.end(`page ${req.url}`))
      res.end('x')
      if (++count === 1) setImmediate(() => holder.fail(error))
      else holder.answer()
    })
    const client = new RawClient(port)
    client.send(`GET /1 HTTP/1.1\nHost: a\n\n${get('/2')}`)
    await client.closed
    expect(client.text.match(/page \/1|x$/g)).toEqual(['page /1', 'x'])
  })
})
