import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Entry, Store } from '../../src/core/store.js'
import { MemoryStore } from '../../src/index.js'
import { FileStore } from '../../src/stores/file.js'
import { FakeClock } from '../../src/testing/index.js'
import { freshFolder, recordPath } from '../stores/file-folder.js'
import { type AnyData, serveApp } from '../support/serve.js'

const routes: NonNullable<Parameters<typeof serveApp>[0]> = (app, sessions) => {
  app.get('/set/:key', (req, res) => {
    sessions.of(req).session[req.params.key] = true
    res.end()
  })
}

const GARBAGE: readonly (readonly [text: string, reason: string])[] = [
  ['', 'json'],
  ['{', 'json'],
  ['\u0000\u0001binary\ufffd', 'json'],
  ['<html></html>', 'json'],
  ['null', 'shape'],
  ['[]', 'shape'],
  ['7', 'shape'],
  ['{}', 'shape'],
  ['{"cookie":{"originalMaxAge":null},"views":1}', 'shape'],
  ['{"v":1,"facts":{"created":"now"},"data":{}}', 'shape'],
  ['{"v":1,"facts":{"created":1,"started":1,"idle":1},"data":7}', 'shape'],
  ['{"v":2,"facts":{},"data":{}}', 'version'],
  [`${'['.repeat(5000)}${']'.repeat(5000)}`, 'depth'],
]

/** A visitor whose record somebody else has overwritten. */
async function visitorOf(store: Store, clock: FakeClock) {
  const made = await serveApp(routes, { store, clock })
  const visitor = made.browser()
  await visitor.get('/set/a')
  const told: unknown[] = []
  for (const name of ['corrupt', 'reject', 'error', 'expire'] as const) {
    made.sessions.on(name, (event) => {
      told.push([name, 'reason' in event ? event.reason : event, event.id])
    })
  }
  return { ...made, visitor, told }
}

type Visited = Awaited<ReturnType<typeof visitorOf>>

/** Two pages of an anonymous visitor, one event for each load, and then a new session. */
async function expectUnknown({ visitor, told }: Visited, key: string, reason: string) {
  for (const visit of [1, 2]) {
    const page = await visitor.get('/')
    expect(page).toMatchObject({ status: 200, setCookies: [] })
    expect(page.json()).toEqual({})
    expect(told).toHaveLength(visit)
  }
  expect(told).toEqual([
    ['corrupt', reason, key],
    ['corrupt', reason, key],
  ])
  expect((await visitor.get('/set/b')).setCookies).toHaveLength(1)
  expect((await visitor.get('/')).json()).toEqual({ b: true })
}

describe.each(['memory', 'file'])('a record in a store of kind %s', (kind) => {
  function stored(clock: FakeClock) {
    if (kind === 'memory') return new MemoryStore({ clock })
    const folder = freshFolder()
    onTestFinished(() => folder.remove())
    return new FileStore({ path: folder.path, clock })
  }

  it.each(GARBAGE)('with the text %j starts a new session, and stays', async (text, reason) => {
    const clock = new FakeClock()
    const store = stored(clock)
    const visited = await visitorOf(store, clock)
    const entries: ({ key: string } & Entry)[] = []
    for await (const entry of store.entries()) entries.push(entry)
    const [{ key, ...seen }] = entries as [{ key: string } & Entry]
    expect(await store.replace(key, { ...seen, text }, seen)).toBe('replaced')
    await expectUnknown(visited, key, reason)
    expect(await store.load(key)).toEqual({ ...seen, text })
  })
})

describe('a file in the place of a record', () => {
  it.each([
    ['nothing', ''],
    ['a line without an end', '{"v":1}'],
    ['half a header', '{"v":1,"expiresAt":19'],
    ['no JSON', 'garbage\n{}'],
    ['JSON that is no object', 'null\n{}'],
    ['an array', '[]\n{}'],
    ['no key', '{"v":1,"expiresAt":9999999999999}\n{}'],
    ['another key', '{"v":1,"expiresAt":9999999999999,"key":"other"}\n{}'],
    ['a wrong expiry', '{"v":1,"expiresAt":"soon","key":"k"}\n{}'],
    ['a later version', '{"v":2,"expiresAt":9999999999999,"key":"k"}\n{}'],
    ['a session of session-file-store', '{"cookie":{"path":"/"},"__lastAccess":1}'],
    ['binary', '\u0000\u00ff\u00fe\n'],
  ])('that holds %s starts a new session, and stays', async (_name, bytes) => {
    const clock = new FakeClock()
    const folder = freshFolder()
    onTestFinished(() => folder.remove())
    const store = new FileStore({ path: folder.path, clock })
    const visited = await visitorOf(store, clock)
    let key = ''
    for await (const entry of store.entries()) key = entry.key
    const file = recordPath(folder.path, key)
    writeFileSync(file, bytes, 'latin1')
    await expectUnknown(visited, key, 'unreadable')
    expect(readFileSync(file, 'latin1')).toBe(bytes)
  })
})

describe('a hostile record', () => {
  async function planted(data: string) {
    const clock = new FakeClock()
    const store = new MemoryStore({ clock })
    const made = await serveApp(
      (app, sessions) => {
        routes(app, sessions)
        app.get('/members', (req, res) => {
          const { session } = sessions.of(req)
          const { save, destroy, update, touch, reload, regenerate } = session
          const methods = [save, destroy, update, touch, reload, regenerate]
          res.json({
            id: session.id,
            isNew: session.isNew,
            maxAge: session.cookie.maxAge ?? null,
            methods: methods.every((method) => typeof method === 'function'),
            keys: Object.keys(session),
          })
        })
        app.get('/admin', (req, res) => {
          const { session } = sessions.of(req)
          res.json([session.admin ?? null, ({} as AnyData).admin ?? null])
        })
      },
      { store, clock },
    )
    const visitor = made.browser()
    await visitor.get('/set/a')
    let key = ''
    for await (const { key: found, ...seen } of store.entries()) {
      key = found
      store.replace(key, { ...seen, text: seen.text.replace('"data":{', `"data":{${data},`) }, seen)
    }
    return { ...made, visitor, key, text: () => store.load(key)!.text }
  }

  it('with __proto__ and constructor pollutes nothing, and keeps them as data', async () => {
    const hostile = '"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}'
    const { visitor, text } = await planted(hostile)
    expect((await visitor.get('/admin')).json()).toEqual([null, null])
    await visitor.get('/set/b')
    expect(text()).toContain(hostile)
    expect(text()).toContain('"b":true')
    expect(JSON.parse((await visitor.get('/')).text())).toEqual(
      JSON.parse(`{${hostile},"a":true,"b":true}`),
    )
  })

  it('with the names of members keeps them, and they never hide the members', async () => {
    const names = ['id', 'isNew', 'cookie', 'save', 'reload', 'destroy', 'touch', 'regenerate']
    const hostile = [...names, 'update'].map((name) => `"${name}":"forged"`).join()
    const { visitor, key, text } = await planted(hostile)
    expect((await visitor.get('/members')).json()).toEqual({
      id: key,
      isNew: false,
      maxAge: null,
      methods: true,
      keys: ['a'],
    })
    await visitor.get('/set/b')
    for (const name of names) expect(text()).toContain(`"${name}":"forged"`)
    expect((await visitor.get('/')).json()).toEqual({ a: true, b: true })
  })
})
