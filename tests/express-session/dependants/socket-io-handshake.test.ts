import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Server, type Socket } from 'socket.io'
import { io } from 'socket.io-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CookieClient } from '../../../src/testing/index.js'
import { type Implementation, implementations } from '../implementations.js'
import { middlewareOf, requireHere, sessionOf } from './faces.js'

type Mount = Parameters<Server['use']>[0]
const shared = requireHere('express-socket.io-session') as (
  middleware: unknown,
  options?: { autoSave: boolean },
) => Mount

interface Store {
  get(id: string, done: (error: Error) => void): void
  set(id: string, session: object, done?: (error?: unknown) => void): void
}

/**
 * A chat whose sockets get their sessions by express-socket.io-session, which runs the middleware
 * on the handshake with a response that is no more than `{ end() {} }`.
 */
async function chat({ session, ...named }: Implementation, autoSave = false) {
  const store: Store = new session.MemoryStore()
  const set = store.set
  let stored = () => {}
  store.set = (id, data, done) =>
    set.call(store, id, data, (error) => {
      done?.(error)
      stored()
    })

  const sessions = middlewareOf({ session, ...named }, { store })
  const app = express()
  app.use(sessions)
  app.get('/login', (req, res) => {
    sessionOf(req).name = 'ada'
    res.end()
  })
  app.get('/', (req, res) => {
    const { name, said } = sessionOf(req)
    res.json({ name, said })
  })

  const server = createServer(app)
  const sockets = new Server(server, { transports: ['websocket'], serveClient: false })
  onTestFinished(() => void sockets.close())
  const onConnection = (socket: Socket) => {
    const { handshake } = socket
    socket.on('who', (answer) => {
      const { name, said } = sessionOf(handshake) ?? { name: 'no session' }
      answer({ name, said })
    })
    socket.on('say', (what: string) => {
      sessionOf(handshake).said = what
      if (!autoSave) sessionOf(handshake).save()
    })
    socket.on('touch', (answer) => {
      sessionOf(handshake).touch()
      answer('touched')
    })
  }
  for (const space of [sockets, sockets.of('/news')]) {
    space.use(shared(sessions, { autoSave }))
    space.on('connection', onConnection)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function open(browser: CookieClient, space = '/') {
    const extraHeaders = { cookie: browser.jar.header(`${origin}/`) ?? '' }
    const options = { transports: ['websocket'], extraHeaders, forceNew: true }
    const socket = io(`${origin}${space}`, { ...options, reconnection: false })
    onTestFinished(() => void socket.disconnect())
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('connect_error', reject)
    })
    return {
      ask: (event: string) => socket.emitWithAck(event) as unknown,
      /** Resolves when the store has it: this package calls nobody back. */
      say: (what: string) =>
        new Promise<void>((resolve) => {
          stored = resolve
          socket.emit('say', what)
        }),
    }
  }
  /** From now on nothing can be loaded. */
  const fail = () => {
    store.get = (_id, done) => done(new Error('down'))
  }
  return { browser: () => new CookieClient(origin), open, fail }
}

describe.each(implementations)('express-socket.io-session 1.3 on $name', (implementation) => {
  it.each(['/', '/news'])('puts the session on the handshake, in %s', async (space) => {
    const { browser, open } = await chat(implementation)
    const ada = browser()
    await ada.get('/login')
    const { ask } = await open(ada, space)
    expect(await ask('who')).toEqual({ name: 'ada' })
    expect(await ask('touch')).toBe('touched')
    expect(await (await open(browser(), space)).ask('who')).toEqual({})
  })

  it.each([
    ['by save() without a callback', false],
    ['by autoSave, which does touch() and save() after the event', true],
  ])('stores what an event changed, %s', async (_how, autoSave) => {
    const { browser, open } = await chat(implementation, autoSave)
    const ada = browser()
    await ada.get('/login')
    const { ask, say } = await open(ada)
    await say('hello')
    expect((await ada.get('/')).json()).toEqual({ name: 'ada', said: 'hello' })
    await say('hello again')
    expect((await ada.get('/')).json()).toEqual({ name: 'ada', said: 'hello again' })
    expect(await ask('who')).toEqual({ name: 'ada', said: 'hello again' })
  })

  it('lets a socket in without a session where the store fails, for it drops errors', async () => {
    const { browser, open, fail } = await chat(implementation)
    const ada = browser()
    await ada.get('/login')
    fail()
    expect(await (await open(ada)).ask('who')).toEqual({ name: 'no session' })
    expect(await (await open(browser())).ask('who')).toEqual({})
  })
})
