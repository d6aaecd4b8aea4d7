import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import compression from 'compression'
import express from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
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
import { requests, type Shape, shapes } from './response-shapes.js'

const express4 = createRequire(import.meta.url)('express4') as typeof express

const cookie = (headers: { append(name: string, value: string): void }) =>
  headers.append('Set-Cookie', 'sid=1')

async function file(bytes: Buffer | string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hold-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'a.txt')
  await writeFile(path, bytes)
  return path
}

const page = await (async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hold-page-'))
  const path = join(folder, 'page.txt')
  await writeFile(path, 'from a file '.repeat(200))
  return path
})()

describe('raw bytes', () => {
  for (const [shape, answer] of Object.entries(shapes)) {
    describe(shape, () => {
      it.each(Object.entries(requests))('are those of plain Node over %s', async (_, request) => {
        const plain = await exchange(await serve((_, res) => answer(res)), request)

        const clean = new HandHolder()
        clean.beginWith = () => undefined
        const cleanPort = await serve((_, res) => {
          hold(res, clean)
          answer(res)
        })
        expect(await exchange(cleanPort, request)).toBe(plain)
        expect(clean.log.filter((entry) => entry !== 'finish')).toEqual(['begin', 'ended'])

        const held = new HandHolder()
        const heldPort = await serve((_, res) => {
          hold(res, held)
          answer(res)
          held.answer()
        })
        expect(await exchange(heldPort, request)).toBe(plain)
        expect(held.reports).toEqual([])
      })

      it.each(['at once', 'later'])(
        'gain one Set-Cookie line by an edit given %s',
        async (when) => {
          const port = await serve((_, res) => answer(res))
          const plain = await exchange(port)
          const holder = new HandHolder()
          if (when === 'at once') holder.beginWith = () => cookie
          const edited = await exchange(
            await serve((_, res) => {
              hold(res, holder)
              answer(res)
              if (when === 'later') holder.answer(cookie)
            }),
          )
          const added = edited.split('\r\n').filter((line) => /^set-cookie: sid=1$/i.test(line))
          expect(added).toHaveLength(1)
          const others = edited.split('\r\n').filter((line) => !/^set-cookie: sid=1$/i.test(line))
          expect(others.toSorted()).toEqual(plain.split('\r\n').toSorted())
        },
      )
    })
  }
})

describe('while the answer is outstanding', () => {
  const apps: Record<
    string,
    (holder: HandHolder, answer: (res: never) => void) => Promise<number>
  > = {
    'plain http': (holder, answer) =>
      serve((req, res) => {
        if (isFence(req, res)) return
        hold(res, holder)
        answer(res as never)
      }),
    'Express 5': (holder, answer) => {
      const app = express()
      app.get('/fence', (_, res) => void res.send('fence'))
      app.use((_, res, next) => {
        hold(res, holder, settingsWith(), next)
        next()
      })
      app.get('/', (_, res) => answer(res as never))
      return listen(createServer(app))
    },
    'Express 4': (holder, answer) => {
      const app = express4()
      app.get('/fence', (_, res) => void res.send('fence'))
      app.use((_, res, next) => {
        hold(res, holder, settingsWith(), next)
        next()
      })
      app.get('/', (_, res) => answer(res as never))
      return listen(createServer(app))
    },
  }

  const plainAnswers: Record<string, (res: ServerResponse) => void> = {
    ...shapes,
    'a piped stream': (res) => Readable.from(['one', 'two', 'three']).pipe(res),
    'a piped file': (res) => createReadStream(page).pipe(res),
    'no end yet': (res) => res.write('so far'),
    'headers flushed and nothing else': (res) => res.flushHeaders(),
  }
  const { 'early hints first': _, ...silent } = plainAnswers
  const expressAnswers: Record<string, (res: express.Response) => void> = {
    'res.json': (res) => void res.json({ a: 1 }),
    'res.send': (res) => void res.send('<p>hello'),
    'res.redirect': (res) => void res.redirect('/users'),
    'res.sendStatus': (res) => void res.sendStatus(404),
    'res.sendFile': (res) => void res.sendFile(page),
    ...(silent as unknown as Record<string, (res: express.Response) => void>),
  }

  for (const [name, start] of Object.entries(apps)) {
    const answers = name === 'plain http' ? silent : expressAnswers
    it.each(Object.entries(answers))(`no byte of %s leaves under ${name}`, async (_, answer) => {
      const holder = new HandHolder()
      const port = await start(holder, answer as (res: never) => void)
      const client = new RawClient(port, () => holder.log.push('byte'))
      client.send(get('/').replace('Connection: close\n', ''))
      await holder.begun
      await fence(port)
      await fence(port)
      expect(client.text).toBe('')
      holder.answer(cookie)
      await client.until('\r\n\r\n')
      expect(holder.log.indexOf('byte')).toBeGreaterThan(holder.log.indexOf('answer'))
      expect(client.text).toMatch(/set-cookie: sid=1/i)
    })
  }

  it('1xx responses pass', async () => {
    const holder = new HandHolder()
    const port = await serve((_, res) => {
      hold(res, holder)
      res.writeProcessing()
      res.end('x')
      res.writeEarlyHints({ link: '</a.css>; rel=preload' })
    })
    const client = new RawClient(port).send(get())
    await client.until('103 Early Hints')
    expect(client.text).not.toContain('200 OK')
    holder.answer()
    expect(await client.until('200 OK')).toContain('102 Processing')
  })

  it('the response looks sent', async () => {
    const holder = new HandHolder()
    const seen: unknown[] = []
    const thrown = (run: () => void) => {
      try {
        run()
      } catch (error) {
        seen.push((error as { code?: string }).code)
      }
    }
    const look = (res: ServerResponse) => {
      seen.push(res.headersSent, res.statusCode, res.statusMessage, res.writableEnded)
      thrown(() => res.setHeader('a', 'b'))
      thrown(() => res.appendHeader('a', 'b'))
      thrown(() => res.removeHeader('a'))
      thrown(() => res.setHeaders(new Map([['a', 'b']])))
      thrown(() => res.writeHead(200))
      thrown(() => res.write(1))
      thrown(() => res.end(1 as never))
      seen.push(res.flushHeaders())
    }
    const answer = (res: ServerResponse) => {
      res.setHeader('X-A', '1')
      res.writeHead(201, 'Made')
      look(res)
      res.statusCode = 404
      seen.push(res.write('abc'), res.writableNeedDrain, res.statusCode)
      look(res)
      res.end()
      seen.push(res.writableEnded, res.getHeader('X-A'))
    }
    const plainPort = await serve((_, res) => answer(res))
    const plain = await exchange(plainPort)
    const expected = seen.splice(0)
    const port = await serve((_, res) => {
      hold(res, holder)
      answer(res)
      seen.push(res.writableLength, res.writableFinished)
      holder.answer()
    })
    expect(await exchange(port)).toBe(plain)
    expect(seen.splice(-2)).toEqual([3, false])
    // A held write says false, where plain Node has room.
    const room = expected.indexOf(404) - 2
    expected[room] = false
    expected[room + 1] = true
    expect(seen).toEqual(expected)
  })

  it('the response looks unsent to Node itself, and afterwards sent by itself', async () => {
    const holder = new HandHolder()
    let response!: ServerResponse
    const port = await serve((_, res) => {
      response = res
      hold(res, holder)
      res.end('x')
      holder.answer()
    })
    await exchange(port)
    expect(() => response.setHeader('X-Late', '1')).toThrow(/ERR_HTTP_HEADERS_SENT|Cannot set/)
    expect(response.writableLength).toBe(0)
    expect(response.writableFinished).toBe(true)
    expect([response.headersSent, response.finished, response.writableEnded]).toEqual([
      true,
      true,
      true,
    ])
  })

  it('closing the server does not cut a response whose end was called', async () => {
    const holder = new HandHolder()
    const server = createServer((_, res) => {
      hold(res, holder)
      res.end('kept')
    })
    const port = await listen(server)
    const client = new RawClient(port).send(get())
    await holder.begun
    server.close()
    holder.answer()
    await client.closed
    expect(split(client.text).body).toBe('kept')
  })

  it('callbacks of write and end run once, in order, after the answer', async () => {
    const holder = new HandHolder()
    const port = await serve((_, res) => {
      hold(res, holder)
      res.write('a', () => holder.log.push('a'))
      res.write('b', 'utf8', () => holder.log.push('b'))
      res.end('c', () => holder.log.push('c'))
      setImmediate(() => holder.answer())
    })
    await exchange(port)
    expect(holder.log.filter((entry) => entry !== 'finish' && entry !== 'ended')).toEqual([
      'begin',
      'answer',
      'a',
      'b',
      'c',
    ])
  })

  it('a write after the end is an error to its callback and an event, as in plain Node', async () => {
    const errors: unknown[] = []
    const answer = (res: ServerResponse) => {
      res.on('error', (error) => errors.push(['event', (error as { code?: string }).code]))
      res.end('x')
      const result = res.write('late', (error) =>
        errors.push(['callback', (error as { code?: string } | undefined)?.code]),
      )
      errors.push(result)
      res.end('again')
      res.end(5 as never)
    }
    const plain = await exchange(await serve((_, res) => answer(res)))
    const expected = errors.splice(0)
    const holder = new HandHolder()
    const port = await serve((_, res) => {
      hold(res, holder)
      answer(res)
      holder.answer()
    })
    expect(await exchange(port)).toBe(plain)
    expect(errors).toEqual(expected)
    expect(expected).toHaveLength(5)
  })

  it.each([
    ['an impossible status', (res: ServerResponse) => void res.writeHead(99)],
    ['an impossible header', (res: ServerResponse) => void res.writeHead(200, { a: 'b\nc' })],
    ['an odd list', (res: ServerResponse) => void res.writeHead(200, ['a'])],
    [
      'a bad message',
      (res: ServerResponse) => {
        res.writeHead(200, 'a\nb')
      },
    ],
    ['a chunk that is none', (res: ServerResponse) => void res.write(1)],
    ['an end chunk that is none', (res: ServerResponse) => void res.end({} as never)],
    [
      'an impossible status that was set',
      (res: ServerResponse) => {
        res.statusCode = 1000
        res.end()
      },
    ],
  ])('%s is thrown at the handler, and its error page is held', async (_, answer) => {
    const holder = new HandHolder()
    const codes: unknown[] = []
    const attempt = (res: ServerResponse) => {
      try {
        answer(res)
      } catch (error) {
        codes.push((error as { code?: string }).code)
        res.statusMessage = ''
        res.statusCode = 500
        res.end('page')
      }
    }
    const plain = await exchange(await serve((_, res) => attempt(res)))
    const port = await serve((_, res) => {
      hold(res, holder)
      attempt(res)
      holder.answer(cookie)
    })
    const text = await exchange(port)
    expect(text.replace('Set-Cookie: sid=1\r\n', '')).toBe(plain)
    expect(text).toContain('sid=1')
    expect(codes).toHaveLength(2)
    expect(codes[1]).toBe(codes[0])
    expect(holder.log.filter((entry) => entry === 'begin')).toHaveLength(1)
  })

  it('pipelined requests are answered in order, each when its own answer is there', async () => {
    const holders: HandHolder[] = []
    const port = await serve((req, res) => {
      const holder = new HandHolder()
      holders.push(holder)
      hold(res, holder)
      res.end(`for ${req.url}`)
      if (holders.length === 3) {
        holders[2]?.answer(cookie)
        holders[1]?.answer()
        setImmediate(() => holders[0]?.answer())
      }
    })
    const client = new RawClient(port)
    client.send(['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\nHost: a\n\n`).join(''))
    const text = await client.until('for /3')
    expect(text.match(/for \/\d/g)).toEqual(['for /1', 'for /2', 'for /3'])
    expect(text.indexOf('sid=1')).toBeGreaterThan(text.indexOf('for /2'))
  })

  it('a client that leaves stops nothing, and nothing is written to it', async () => {
    const holder = new HandHolder()
    const results: unknown[] = []
    const port = await serve((_, res) => {
      hold(res, holder)
      res.write('a', (error) => results.push((error as { code?: string })?.code))
      res.once('close', () => {
        results.push(res.write('b', (error) => results.push((error as { code?: string })?.code)))
        res.end('c', () => results.push('end'))
        setImmediate(() => holder.answer(cookie))
      })
    })
    const client = new RawClient(port).send(get())
    await holder.begun
    client.socket.destroy()
    await holder.over
    expect(results).toEqual([false, 'ERR_STREAM_DESTROYED', 'ERR_STREAM_DESTROYED', 'end'])
    expect(holder.log).toEqual(['begin', 'answer', 'ended'])
    expect(holder.reports).toEqual([])
  })

  it('a client that left before the response begins is committed for all the same', async () => {
    const holder = new HandHolder()
    const port = await serve((req, res) => {
      if (isFence(req, res)) return
      hold(res, holder)
      res.once('close', () => {
        res.end('too late')
        holder.answer(cookie)
      })
      holder.log.push('handled')
    })
    const client = new RawClient(port).send(get())
    while (!holder.log.includes('handled')) await fence(port)
    client.socket.destroy()
    await holder.over
    expect(holder.log.slice(-3)).toEqual(['begin', 'answer', 'ended'])
  })
})

describe('back-pressure', () => {
  it('a well-behaved producer stops after one chunk, and 10 MB arrive unchanged', async () => {
    const bytes = Buffer.alloc(10 * 1024 * 1024, 'abcdefghijklmnopqrstuvwxyz')
    const path = await file(bytes)
    const holder = new HandHolder()
    let most = 0
    const port = await serve((_, res) => {
      hold(res, holder)
      createReadStream(path).pipe(res)
      const watch = () => {
        if (holder.log.includes('answer')) return
        most = Math.max(most, res.writableLength)
        setImmediate(watch)
      }
      watch()
    })
    const client = new RawClient(port)
    client.socket.pause()
    client.send(get('/', '', 'GET', '1.0'))
    await holder.begun
    for (let i = 0; i < 50; i++) await new Promise(setImmediate)
    holder.answer()
    client.socket.resume()
    await client.closed
    const at = client.bytes.indexOf('\r\n\r\n') + 4
    expect(Buffer.compare(client.bytes.subarray(at), bytes)).toBe(0)
    expect(most).toBe(65_536)
    expect(holder.reports).toEqual([])
  })

  it.each([10, 200_000])('one drain follows held writes of %i bytes', async (size) => {
    const holder = new HandHolder()
    let drains = 0
    const port = await serve((_, res) => {
      hold(res, holder)
      holder.log.push(String(res.write('x'.repeat(size))), String(res.write('y')))
      res.on('drain', () => {
        drains++
        setImmediate(() => setImmediate(() => res.end()))
      })
      holder.answer()
    })
    const text = await exchange(port)
    expect(text).toContain('\r\n0\r\n\r\n')
    expect(holder.log).toEqual(['begin', 'false', 'false', 'answer', 'finish', 'ended'])
    expect(drains).toBe(1)
  })

  it('no drain of ours comes between a write that fills Node up and its drain', async () => {
    const holder = new HandHolder()
    const log: unknown[] = []
    const port = await serve(async (_, res) => {
      hold(res, holder)
      res.write('x')
      res.on('drain', () => log.push(res.writableLength))
      holder.answer()
      for (let i = 0; i < 5 && !res.write(''); i++) await undefined
      log.push(res.write('y'.repeat(5_000_000)))
      setImmediate(() => res.end())
    })
    await exchange(port)
    expect(log).toEqual([false])
  })

  it('a status assigned while it was held is read back, and changes nothing', async () => {
    const holder = new HandHolder()
    let status: unknown
    const port = await serve((_, res) => {
      hold(res, holder)
      res.writeHead(201)
      res.statusCode = 500
      res.end('x')
      res.on('finish', () => {
        status = res.statusCode
      })
      holder.answer()
    })
    expect(await exchange(port)).toContain('201 Created')
    expect(status).toBe(500)
  })

  it.each(['before', 'after'])('compression %s the hold passes a piped file', async (where) => {
    const holder = new HandHolder()
    const app = express()
    if (where === 'before') app.use(compression({ threshold: 0 }))
    app.use((_, res, next) => {
      hold(res, holder, settingsWith(), next)
      next()
    })
    if (where === 'after') app.use(compression({ threshold: 0 }))
    app.get('/', (_, res) => {
      res.type('text')
      // Two small chunks: the second comes only if the first is followed by a drain.
      Readable.from(['one ', 'two'], { highWaterMark: 1, objectMode: true }).pipe(res)
      setImmediate(() => holder.answer(cookie))
    })
    const port = await listen(createServer(app))
    const response = await fetch(`http://127.0.0.1:${port}/`)
    expect(await response.text()).toBe('one two')
    expect(response.headers.get('content-encoding')).toBe('gzip')
    expect(response.headers.get('set-cookie')).toBe('sid=1')
  })

  it('a producer that ignores false is reported once, and still held', async () => {
    const holder = new HandHolder()
    const port = await serve((_, res) => {
      hold(res, holder)
      for (let i = 0; i < 10; i++) res.write('x'.repeat(20_000))
      res.end()
      expect(holder.reports).toEqual([{ type: 'held-bytes', bytes: 80_000 }])
      holder.answer()
    })
    const text = await exchange(port, get('/', '', 'GET', '1.0'))
    expect(split(text).body).toHaveLength(200_000)
    expect(holder.reports).toHaveLength(1)
  })

  it('one chunk of any size is no reason for a report', async () => {
    const holder = new HandHolder()
    const port = await serve((_, res) => {
      hold(res, holder)
      res.write('x'.repeat(100_000))
      res.end('y'.repeat(17 * 1024 * 1024))
      holder.answer()
    })
    const text = await exchange(port, get('/', '', 'GET', '1.0'))
    expect(split(text).body).toHaveLength(100_000 + 17 * 1024 * 1024)
    expect(holder.reports).toEqual([])
  })

  it('at 16 MiB the connection of such a producer is destroyed', async () => {
    const holder = new HandHolder()
    const results: unknown[] = []
    const port = await serve((_, res) => {
      hold(res, holder)
      const chunk = Buffer.alloc(1024 * 1024)
      for (let i = 0; i < 18; i++) res.write(chunk, (error) => results.push(error instanceof Error))
      setImmediate(() => holder.answer())
    })
    expect(await exchange(port)).toBe('')
    await holder.over
    expect(holder.reports.map(({ type }) => type)).toEqual(['held-bytes', 'overflow'])
    expect(results).toEqual(Array.from({ length: 18 }, () => true))
    expect(holder.log).toEqual(['begin', 'answer', 'ended'])
  })
})

describe('header edits', () => {
  const view = async (answer: Shape, edit: Parameters<HandHolder['answer']>[0]) => {
    const holder = new HandHolder()
    holder.beginWith = () => edit
    const port = await serve((_, res) => {
      hold(res, holder)
      answer(res)
    })
    return split(await exchange(port))
      .head.split('\r\n')
      .slice(1, -2)
  }

  it('read what was set and what was given to writeHead, in any case', async () => {
    const seen: unknown[] = []
    await view(
      (res) => {
        res.setHeader('X-Number', 5)
        res.setHeader('X-Set', ['a', 'b'])
        res.setHeader('Vary', 'Accept')
        res.writeHead(200, { vary: 'Origin', 'x-many': [1 as never, 2 as never] })
        res.end()
      },
      (headers) => {
        for (const name of ['x-number', 'X-SET', 'VARY', 'X-Many', 'absent']) {
          seen.push(headers.get(name))
        }
      },
    )
    expect(seen).toEqual(['5', ['a', 'b'], 'Origin', ['1', '2'], undefined])
  })

  it.each<[string, Shape, string[]]>([
    ['set', (res) => void res.setHeader('vary', 'A').end(), ['vary: B']],
    ['given', (res) => void res.writeHead(200, { vary: 'A', Vary: 'C' }).end(), ['vary: B']],
    ['listed', (res) => void res.writeHead(200, ['vary', 'A', 'Vary', 'C']).end(), ['vary: B']],
    ['absent', (res) => void res.end(), ['Vary: B']],
    [
      'absent from an object',
      (res) => void res.writeHead(200, { 'X-A': '1' }).end(),
      ['X-A: 1', 'Vary: B'],
    ],
    [
      'set, with others given',
      (res) => void res.setHeader('vary', 'A').writeHead(200, { 'X-A': '1' }).end(),
      ['vary: B', 'X-A: 1'],
    ],
  ])('replace a header that is %s', async (_, answer, lines) => {
    expect(await view(answer, (headers) => headers.set('Vary', 'B'))).toEqual([
      ...lines,
      'Date: now',
    ])
  })

  it("leave the app's own arrays and objects as they are", async () => {
    const cookies = Object.freeze(['a=1']) as string[]
    const given = Object.freeze({ 'Set-Cookie': Object.freeze(['b=1']) as string[] })
    const flat = Object.freeze(['Set-Cookie', 'c=1']) as string[]
    for (const answer of [
      (res: ServerResponse) => void res.setHeader('Set-Cookie', cookies).end(),
      (res: ServerResponse) => void res.writeHead(200, given).end(),
      (res: ServerResponse) => void res.writeHead(200, flat).end(),
    ]) {
      const lines = await view(answer, cookie)
      expect(lines.filter((line) => line.startsWith('Set-Cookie'))).toHaveLength(2)
    }
  })

  it('see what a later wrapper of writeHead sets', async () => {
    const holder = new HandHolder()
    const seen: unknown[] = []
    const port = await serve((_, res) => {
      hold(res, holder)
      const { writeHead } = res
      res.writeHead = function (this: unknown, ...args: unknown[]) {
        res.setHeader('X-Late', '1')
        return writeHead.apply(this, args as never)
      } as never
      res.end('x')
      holder.answer((headers) => {
        seen.push(headers.get('x-late'))
        headers.append('Set-Cookie', 'sid=1')
      })
    })
    const { head, body } = split(await exchange(port))
    expect(seen).toEqual(['1'])
    expect(head).toContain('X-Late: 1')
    expect(head).toContain('Set-Cookie: sid=1')
    expect(body).toBe('x')
  })
})

describe('what changes after the headers', () => {
  it('delays the end, its chunk and its callback until it is settled', async () => {
    const holder = new HandHolder()
    let settle!: () => void
    let ended!: () => void
    const atEnd = new Promise<void>((resolve) => {
      ended = resolve
    })
    holder.beginWith = () => undefined
    holder.finishWith = () =>
      new Promise((resolve) => {
        settle = resolve
      })
    const port = await serve((req, res) => {
      if (isFence(req, res)) return
      hold(res, holder)
      res.write('first')
      setImmediate(() => {
        res.end('last', () => holder.log.push('callback'))
        holder.log.push(String(res.writableEnded))
        ended()
      })
    })
    const client = new RawClient(port).send(get('/', '', 'GET', '1.0'))
    await atEnd
    await fence(port)
    expect(split(client.text).body).toBe('first')
    settle()
    await client.closed
    expect(split(client.text).body).toBe('firstlast')
    expect(holder.log).toEqual(['begin', 'finish', 'true', 'ended', 'callback'])
  })

  it.each(['a rejection', 'a throw'])('is reported as late when it fails by %s', async (how) => {
    const holder = new HandHolder()
    const error = new Error('no store')
    holder.beginWith = () => undefined
    holder.finishWith = () => {
      if (how === 'a throw') throw error
      return Promise.reject(error)
    }
    const port = await serve((_, res) => {
      hold(res, holder)
      res.flushHeaders()
      res.end('all')
    })
    expect(await exchange(port)).toContain('all')
    expect(holder.reports).toEqual([{ type: 'late-error', error }])
    expect(holder.log).toEqual(['begin', 'finish', 'ended'])
  })

  it('is looked at after the begin when both were held', async () => {
    const holder = new HandHolder()
    const port = await serve((_, res) => {
      hold(res, holder)
      holder.finishWith = () => {
        holder.log.push(String(res.headersSent))
        return undefined
      }
      res.write('x')
      res.end()
      holder.answer()
    })
    await exchange(port)
    expect(holder.log).toEqual(['begin', 'answer', 'finish', 'true', 'ended'])
  })

  it('is looked at when the client leaves a response with a stream that is not of HTTP/2', async () => {
    const holder = new HandHolder()
    holder.beginWith = () => undefined
    const port = await serve((_, res) => {
      Object.assign(res, { stream: () => {} })
      hold(res, holder)
      res.write('x')
    })
    const client = new RawClient(port).send(get())
    await client.until('x')
    client.socket.destroy()
    await holder.over
    expect(holder.log).toEqual(['begin', 'finish', 'ended'])
  })

  it('is looked at when the client leaves a stream', async () => {
    const holder = new HandHolder()
    holder.beginWith = () => undefined
    const port = await serve((_, res) => {
      hold(res, holder)
      res.flushHeaders()
    })
    const client = new RawClient(port).send(get())
    await client.until('\r\n\r\n')
    client.socket.destroy()
    await holder.over
    expect(holder.log).toEqual(['begin', 'finish', 'ended'])
  })
})

describe('two holds on one response', () => {
  it('hold one after the other, and both edits leave', async () => {
    const inner = new HandHolder()
    const outer = new HandHolder()
    const port = await serve((_, res) => {
      hold(res, inner)
      hold(res, outer)
      res.write('x')
      res.end('y')
      outer.answer((headers) => headers.append('Set-Cookie', 'outer=1'))
    })
    const client = new RawClient(port).send(get('/', '', 'GET', '1.0'))
    await inner.begun
    expect(client.text).toBe('')
    inner.answer((headers) => headers.append('Set-Cookie', 'inner=1'))
    await client.closed
    expect(client.text.match(/Set-Cookie: \w+/g)).toEqual([
      'Set-Cookie: outer',
      'Set-Cookie: inner',
    ])
    expect(split(client.text).body).toBe('xy')
    expect([inner.log.at(-1), outer.log.at(-1)]).toEqual(['ended', 'ended'])
  })

  it('give back exactly what they found when they fail', async () => {
    const inner = new HandHolder()
    const outer = new HandHolder()
    let found: unknown[] = []
    const methods = (res: ServerResponse) => [res.writeHead, res.write, res.end, res.flushHeaders]
    const port = await serve((_, res) => {
      const native = methods(res)
      hold(res, inner, settingsWith(), (_error) => {
        found.push(methods(res).every((method, i) => method === native[i]))
        res.end('inner page')
      })
      const between = methods(res)
      hold(res, outer, settingsWith(), (_error) => {
        found.push(methods(res).every((method, i) => method === between[i]))
        res.end('outer page')
        inner.fail(new Error('inner'))
      })
      found = []
      res.end('x')
      outer.fail(new Error('outer'))
    })
    expect(split(await exchange(port)).body).toBe('inner page')
    expect(found).toEqual([true, true])
  })
})

describe('objects that are called responses', () => {
  it('may have an end and nothing else', () => {
    const holder = new HandHolder()
    const calls: unknown[] = []
    const res = { end: (...args: unknown[]) => calls.push(args) }
    const held = hold(res, holder)
    expect(held.state).toBe('open')
    res.end('x')
    expect(calls).toEqual([['x']])
    expect(holder.log).toEqual(['ended'])
    expect(held.state).toBe('ended')
  })

  it('get what can be said at once, in the spelling it has', () => {
    const headers: Record<string, unknown> = {}
    const res = {
      setHeader: (name: string, value: unknown) => {
        headers[name] = value
      },
      getHeader: (name: string) => headers[name],
      removeHeader() {},
      write() {},
      writeHead() {},
      end() {},
    }
    const holder = Object.assign(new HandHolder(), { beginNow: () => cookie })
    hold(res, holder)
    res.writeHead()
    expect(headers).toEqual({ 'Set-Cookie': 'sid=1' })
    res.end()
    expect(holder.log).toEqual(['ended'])
  })
})
