import { createHmac } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import compression from 'compression'
import express from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { serve } from '../support/serve.js'
import { dropIn, implementations, type OldRequest, real } from './implementations.js'
import { dataIn, program, sessionOf } from './program.js'

const KEYS = { keys: ['a key'] }

describe.each(implementations)('the cookies of $name leave', (implementation) => {
  it.each([
    [
      'writeHead with an object',
      (res: ServerResponse) => res.writeHead(200, { 'Set-Cookie': 'a=1' }),
    ],
    ['writeHead with a list', (res: ServerResponse) => res.writeHead(200, ['Set-Cookie', 'a=1'])],
    ['a cookie of its own', (res: ServerResponse) => res.setHeader('Set-Cookie', 'a=1')],
  ])('behind those of the handler, by %s', async (_, begin) => {
    const { lines } = await program(implementation, { ...KEYS }, (req, res) => {
      sessionOf(req).user = 'ada'
      begin(res)
      res.end()
    })
    const sent = await lines()
    expect(sent.map((line) => line.split('=')[0])).toEqual(['a', 'session', 'session.sig'])
  })

  it('with the response of a compressing middleware', async () => {
    const app = express()
    app.use(compression({ threshold: 0 }))
    app.use(implementation.session({ ...KEYS }))
    app.use((req, res) => {
      sessionOf(req as unknown as OldRequest).user = 'ada'
      res.send('text '.repeat(1000))
    })
    const { origin } = await serve(app)
    const response = await fetch(origin, { headers: { 'accept-encoding': 'gzip' } })
    expect(response.headers.get('content-encoding')).toBe('gzip')
    expect(dataIn(response.headers.getSetCookie())).toEqual({ user: 'ada' })
  })

  it('with a stream, as they were when it began', async () => {
    const { lines } = await program(implementation, { ...KEYS }, (req, res) => {
      sessionOf(req).views = 1
      res.flushHeaders()
      sessionOf(req)
      res.end()
    })
    expect(dataIn(await lines())).toEqual({ views: 1 })
  })
})

describe('HTTP/2', () => {
  /** The cookies of a response with this body; `more` is what a framework adds to it. */
  const over = async (
    { session }: typeof real,
    body: string,
    more: object = {},
  ): Promise<readonly string[]> => {
    const sessions = session({ ...KEYS })
    const server = createHttp2((req, res) =>
      sessions(req, Object.assign(res, more), () => {
        sessionOf(req as unknown as OldRequest).views = 1
        if (body === '') res.end()
        else res.end(body)
      }),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    onTestFinished(() => {
      client.destroy()
      server.close()
    })
    const stream = client.request({ ':path': '/' })
    stream.end()
    return new Promise((resolve, reject) => {
      stream.on('error', reject)
      stream.on('response', (headers) => {
        resolve(headers['set-cookie'] ?? [])
        stream.resume()
      })
    })
  }

  it.each(implementations)('carries the session of $name', async (implementation) => {
    expect(dataIn(await over(implementation, 'body'))).toEqual({ views: 1 })
    expect(dataIn(await over(implementation, ''))).toEqual({ views: 1 })
  })

  it('carries it under a framework with res.set, where real cookie-session sends none', async () => {
    const framework = { set() {} }
    expect(dataIn(await over(dropIn, 'body', framework))).toEqual({ views: 1 })
    expect(await over(real, 'body', framework)).toEqual([])
  })
})

describe('several on one request', () => {
  /** What each has sent, by the names of the cookies, when both have data. */
  const both = async ({ session }: typeof real) => {
    const app = express()
    app.use(session({ ...KEYS, name: 'first' }))
    app.use((req, _res, next) => {
      ;(req as unknown as OldRequest).session!.of = 'first'
      next()
    })
    app.use(session({ ...KEYS, name: 'second', path: '/second' }))
    app.use((req, res) => {
      ;(req as unknown as OldRequest).session!.of = 'second'
      res.end()
    })
    const { origin } = await serve(app)
    return (await fetch(origin)).headers.getSetCookie().map((line) => line.replace(/=\S+/, ''))
  }

  it('keep their own names and attributes, where real cookie-session mixes them', async () => {
    expect(await both(dropIn)).toEqual([
      'second path=/second; httponly',
      'second.sig path=/second; httponly',
      'first path=/; httponly',
      'first.sig path=/; httponly',
    ])
    expect(await both(real)).not.toContain('first path=/; httponly')
  })
})

describe('a list of cookies that the program keeps', () => {
  it('is left as it is, where real cookie-session adds to it', async () => {
    const sizes: number[] = []
    for (const implementation of [real, dropIn]) {
      const mine = ['theme=dark']
      const { lines } = await program(implementation, { ...KEYS, overwrite: false }, (req, res) => {
        sessionOf(req).user = 'ada'
        res.setHeader('Set-Cookie', mine)
      })
      expect(await lines()).toHaveLength(3)
      sizes.push(mine.length)
    }
    expect(sizes).toEqual([3, 1])
  })

  it('is left as it is where only a signature is sent again', async () => {
    const sizes: number[] = []
    const signature = createHmac('sha1', 'old').update('session=e30=').digest('base64url')
    for (const implementation of [real, dropIn]) {
      const mine = ['theme=dark']
      const { lines } = await program(implementation, { keys: ['new', 'old'] }, (req, res) => {
        res.setHeader('Set-Cookie', mine)
        sessionOf(req)
      })
      expect(await lines(`session=e30=; session.sig=${signature}`)).toHaveLength(2)
      sizes.push(mine.length)
    }
    expect(sizes).toEqual([2, 1])
  })
})

describe('req.session', () => {
  it.each(implementations)(
    'takes null or an object, and says so: $name',
    async (implementation) => {
      const { browser } = await program(implementation, { ...KEYS }, (req) => {
        const said: unknown[] = []
        for (const value of [1, 'text', true, () => {}]) {
          try {
            req.session = value as never
          } catch (error) {
            said.push((error as Error).message)
          }
        }
        req.session = undefined as never
        said.push(req.session)
        req.session = { a: 1 } as never
        return [...said, req.session]
      })
      const text = 'req.session can only be set as null or an object.'
      expect((await browser().get('/')).json()).toEqual([text, text, text, text, null, { a: 1 }])
    },
  )

  it('is there, and is not read, on what only looks like a response', () => {
    const sessions = dropIn.session({ ...KEYS })
    const calls: unknown[] = []
    for (const res of [
      { end() {} },
      { end() {}, setHeader: (...given: unknown[]) => calls.push(given) },
    ]) {
      const req = { headers: { cookie: 'session=x; session.sig=y' } } as OldRequest
      sessions(req, res, () => {
        sessionOf(req).user = 'ada'
        res.end()
      })
    }
    const pair = [/^session=eyJ/, /^session\.sig=/].map((text) => expect.stringMatching(text))
    expect(calls).toEqual([['Set-Cookie', pair]])
  })
})
