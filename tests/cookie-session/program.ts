import type { ServerResponse } from 'node:http'
import express, { type ErrorRequestHandler } from 'express'
import { onTestFinished } from 'vitest'
import { CookieClient } from '../../src/testing/index.js'
import { serve } from '../support/serve.js'
import type { Implementation, OldRequest, OldSession } from './implementations.js'

export type Handler = (req: OldRequest, res: ServerResponse) => unknown

export interface Program {
  readonly origin: string
  browser(): CookieClient
  /** The `Set-Cookie` lines that answer a request with this cookie header. */
  lines(cookie?: string): Promise<readonly string[]>
}

/** An Express app with one handler; errors are shown as JSON. */
export async function program(
  { session }: Implementation,
  options: object,
  handler: Handler,
): Promise<Program> {
  const failed: unknown[] = []
  const app = express()
  app.use(session(options))
  app.use(async (req, res) => {
    const answer = await handler(req as unknown as OldRequest, res)
    if (!res.writableEnded) res.json(answer ?? null)
  })
  const onError: ErrorRequestHandler = (error, _req, res, _next) => {
    // What a handler expects is expected by the test.
    if (error.name === 'AssertionError') failed.push(error)
    if (res.headersSent) return void res.end()
    res.status(error.status ?? 500).json({ code: error.code, message: error.message })
  }
  app.use(onError)
  const { origin } = await serve(app)
  onTestFinished(() => {
    for (const error of failed) throw error
  })
  return {
    origin,
    browser: () => new CookieClient(origin),
    async lines(cookie = '') {
      const response = await fetch(origin, { headers: cookie === '' ? {} : { cookie } })
      await response.text()
      return response.headers.getSetCookie()
    },
  }
}

/** The session, where there is one. */
export function sessionOf(req: OldRequest): OldSession {
  if (req.session === null) throw new Error('There is no session.')
  return req.session
}

/** The two cookies as a browser sends them, from the lines that set them. */
export function cookieOf(lines: readonly string[]): string {
  return lines.map((line) => line.split(';', 1)[0]).join('; ')
}

/** The session in the lines that set it. */
export function dataIn(lines: readonly string[], name = 'session'): unknown {
  const line = lines.find((one) => one.startsWith(`${name}=`))
  if (line === undefined) return undefined
  const value = line.slice(name.length + 1).split(';', 1)[0] as string
  return value === '' ? undefined : JSON.parse(Buffer.from(value, 'base64').toString())
}
