import type { ServerResponse } from 'node:http'
import fc from 'fast-check'
import { expect } from 'vitest'
import { exchange, get, HandHolder, hold, serve } from './raw-http.js'

/** One call on a response. */
export type Step = (res: ServerResponse) => unknown

const name = fc.constantFrom('X-A', 'x-a', 'Vary', 'Set-Cookie', 'Content-Type', 'Content-Length')
const value = fc.oneof(
  fc.constantFrom('1', 'text/plain', 'a=1', 'bad\nvalue'),
  fc.array(fc.constantFrom('1', 'b=2'), { maxLength: 3 }),
  fc.constantFrom(5, 0),
)
const pair = fc.tuple(name, value)
const headers = fc.oneof(
  fc.constant(undefined),
  fc.array(pair, { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
  fc.array(pair, { maxLength: 4 }).map((pairs) => pairs.flat()),
  fc.array(pair, { minLength: 1, maxLength: 4 }),
)
const status = fc.constantFrom(200, 201, 204, 302, 304, 404, 500, 99)
const chunk = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.uint8Array({ maxLength: 20 }),
  fc.constantFrom('', null, 5, 'x'.repeat(5_000)),
)
const encoding = fc.constantFrom(undefined, 'utf8', 'latin1', 'utf16le')

const named = (text: string, run: (res: ServerResponse) => unknown): Step =>
  Object.assign(run, { toString: () => text })

const step: fc.Arbitrary<Step> = fc.oneof(
  pair.map(([key, v]) =>
    named(`setHeader ${key} ${v}`, (res) => res.setHeader(key, structuredClone(v))),
  ),
  pair.map(([key, v]) =>
    named(`appendHeader ${key} ${v}`, (res) => res.appendHeader(key, structuredClone(v) as string)),
  ),
  // One header stays: with none left, Node 20 reads an array given to writeHead by other rules than
  // before the first, and nothing public tells the two apart.
  name.map((key) =>
    named(`removeHeader ${key}`, (res) => res.setHeader('X-Left', '1').removeHeader(key)),
  ),
  status.map((code) =>
    named(`statusCode ${code}`, (res) => {
      res.statusCode = code
    }),
  ),
  fc
    .tuple(status, fc.constantFrom(undefined, 'Mine', 'bad\nmessage'), headers)
    .map(([code, message, given]) =>
      named(`writeHead ${code} ${message} ${JSON.stringify(given)}`, (res) =>
        message === undefined
          ? res.writeHead(code, structuredClone(given) as never)
          : res.writeHead(code, message, structuredClone(given) as never),
      ),
    ),
  fc
    .tuple(chunk, encoding)
    .map(([data, code]) => named(`write ${data} ${code}`, (res) => res.write(data, code as never))),
  fc
    .tuple(chunk, encoding)
    .map(([data, code]) => named(`end ${data} ${code}`, (res) => res.end(data, code as never))),
  fc.constant(named('end', (res) => res.end())),
  fc.constant(named('flushHeaders', (res) => res.flushHeaders())),
)

/** What the handler saw of each step: an error by its code, else what can be compared. */
function play(res: ServerResponse, steps: readonly Step[]): unknown[] {
  const seen: unknown[] = []
  res.on('error', (error) => seen.push(`event ${(error as { code?: string }).code}`))
  for (const run of steps) {
    try {
      run(res)
      seen.push('done')
    } catch (error) {
      seen.push((error as { code?: string }).code)
    }
    seen.push(res.headersSent, res.statusCode, res.writableEnded)
  }
  if (!res.writableEnded) {
    try {
      res.end()
    } catch {
      res.statusMessage = ''
      res.statusCode = 500
      res.end()
    }
  }
  return seen
}

/**
 * Plays random sequences of response calls against plain Node, against a hold that passes, and
 * against one that holds. For a test that is running: its servers end with it.
 */
export async function holdAgreesWithNode(
  parameters: fc.Parameters<[readonly Step[], string, boolean]>,
): Promise<void> {
  let steps: readonly Step[] = []
  let seen: unknown[] = []
  const plain = await serve((_, res) => {
    seen = play(res, steps)
  })
  const clean = await serve((_, res) => {
    const holder = new HandHolder()
    holder.beginWith = () => undefined
    hold(res, holder)
    seen = play(res, steps)
  })
  let holder = new HandHolder()
  let delay = false
  const held = await serve((_, res) => {
    holder = new HandHolder()
    hold(res, holder)
    seen = play(res, steps)
    if (delay) setImmediate(() => holder.answer())
    else holder.answer()
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 8 }),
      fc.constantFrom(get(), get('/', '', 'HEAD'), get('/', '', 'GET', '1.0')),
      fc.boolean(),
      async (played, request, later) => {
        steps = played
        delay = later
        const expected = { bytes: await exchange(plain, request), seen }
        expect({ bytes: await exchange(clean, request), seen }).toEqual(expected)
        expect({ bytes: await exchange(held, request), seen }).toEqual(expected)
      },
    ),
    parameters,
  )
}
