import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { CookieClient } from '../../../src/testing/index.js'
import { type Face, oldFaces, sessionOf } from './faces.js'

const transports = ['polling', 'websocket'] as const
type Transport = (typeof transports)[number]

/** A chat in the way of socket.io's own page on sessions: one middleware for pages and sockets. */
async function chat(face: Face, transport: Transport, options: object = {}) {
  const sessions = face.make(options)
  const app = express()
  app.use(sessions)
  app.get('/login/:name', (req, res) => {
    sessionOf(req).name = req.params.name
    res.end()
  })
  app.get('/logout', (req, res) => {
    const { id } = sessionOf(req)
    sessionOf(req).destroy(() => {
      if (req.query.sockets === 'too') sockets.to(id).disconnectSockets()
      res.end()
    })
  })
  app.get('/', (req, res) => {
    const { name, said, liked } = sessionOf(req)
    res.json({ name, said, liked })
  })
  app.get('/like', (req, res) => {
    sessionOf(req).liked = true
    res.end()
  })

  const server = createServer(app)
  const sockets = new Server(server, { transports: [transport], serveClient: false })
  onTestFinished(() => void sockets.close())
  sockets.engine.use(sessions)
  sockets.on('connection', (socket) => {
    const { request } = socket
    const { id } = sessionOf(request)
    void socket.join(id)
    socket.on('who', (answer) => {
      const { name, said, liked } = sessionOf(request)
      answer({ name, said, liked })
    })
    socket.on('say', (what: string, answer) => {
      sessionOf(request).said = what
      sessionOf(request).save((error) => answer(error ? 'failed' : 'saved'))
    })
    socket.on('reload', (answer) => {
      sessionOf(request).reload((error) => answer(error ? 'no session' : 'reloaded'))
    })
    socket.on('say the newest', (what: string, answer) => {
      sessionOf(request).reload((error) => {
        if (error) return socket.disconnect()
        sessionOf(request).said = what
        sessionOf(request).save((failure) => answer(failure ? 'failed' : 'saved'))
        return undefined
      })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  /** A page of this browser opens its socket. */
  async function open(browser: CookieClient) {
    const cookie = browser.jar.header(`${origin}/`)
    const extraHeaders = cookie === undefined ? {} : { cookie }
    const socket = io(origin, {
      transports: [transport],
      extraHeaders,
      forceNew: true,
      reconnection: false,
    })
    onTestFinished(() => void socket.disconnect())
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('connect_error', reject)
    })
    return {
      socket,
      ask: (event: string, ...values: unknown[]) => socket.emitWithAck(event, ...values) as unknown,
    }
  }
  return { browser: () => new CookieClient(origin), open, origin, sockets }
}

const combinations = oldFaces.flatMap((face) =>
  transports.map((transport) => ({ face, on: face.name, transport })),
)

describe.each(combinations)('io.engine.use on $on, over $transport', ({ face, transport }) => {
  it('shows the socket who has signed in over HTTP', async () => {
    const { browser, open } = await chat(face, transport)
    const ada = browser()
    await ada.get('/login/ada')
    expect(await (await open(ada)).ask('who')).toEqual({ name: 'ada' })
    expect(await (await open(browser())).ask('who')).toEqual({})
  })

  it('shows over HTTP what an event has saved', async () => {
    const { browser, open } = await chat(face, transport)
    const ada = browser()
    await ada.get('/login/ada')
    const { ask } = await open(ada)
    expect(await ask('say', 'hello')).toBe('saved')
    expect((await ada.get('/')).json()).toEqual({ name: 'ada', said: 'hello' })
    expect(await ask('say', 'hello again')).toBe('saved')
    expect((await ada.get('/')).json()).toEqual({ name: 'ada', said: 'hello again' })
  })

  it('shows the socket after a reload what has changed over HTTP, and keeps that', async () => {
    const { browser, open } = await chat(face, transport)
    const ada = browser()
    await ada.get('/login/ada')
    const { ask } = await open(ada)
    await ada.get('/like')
    expect(await ask('who')).toEqual({ name: 'ada' })
    expect(await ask('reload')).toBe('reloaded')
    expect(await ask('who')).toEqual({ name: 'ada', liked: true })
    expect(await ask('say the newest', 'hello')).toBe('saved')
    expect((await ada.get('/')).json()).toEqual({ name: 'ada', said: 'hello', liked: true })
  })

  it('notices at the next reload that the session has ended', async () => {
    const { browser, open } = await chat(face, transport)
    const ada = browser()
    await ada.get('/login/ada')
    const { ask } = await open(ada)
    await ada.get('/logout')
    expect(await ask('reload')).toBe('no session')
  })

  it('finds the sockets of a session by its id, at the logout', async () => {
    const { browser, open } = await chat(face, transport)
    const [ada, eve] = [browser(), browser()]
    await ada.get('/login/ada')
    await eve.get('/login/eve')
    const [hers, another] = [await open(ada), await open(eve)]
    const ended = new Promise((resolve) => hers.socket.once('disconnect', resolve))
    await ada.get('/logout?sockets=too')
    expect(await ended).toBe('io server disconnect')
    expect(await another.ask('who')).toEqual({ name: 'eve' })
  })
})

describe.each(oldFaces)('the handshake of a newcomer on $name, with saveUninitialized', (face) => {
  it('sets the cookie of a session, over polling', async () => {
    const { browser, open } = await chat(face, 'polling', { saveUninitialized: true })
    const newcomer = browser()
    const shaken = await newcomer.get('/socket.io/?EIO=4&transport=polling')
    expect(shaken.setCookies).toHaveLength(1)
    const { ask } = await open(newcomer)
    expect(await ask('say', 'hello')).toBe('saved')
    expect((await newcomer.get('/')).json()).toEqual({ said: 'hello' })
  })

  it('sets the cookie of a session that an event stores, over websocket', async () => {
    const { browser, origin } = await chat(face, 'websocket', { saveUninitialized: true })
    const newcomer = browser()
    const path = '/socket.io/?EIO=4&transport=websocket'
    const socket = new WebSocket(`${origin.replace('http', 'ws')}${path}`)
    onTestFinished(() => socket.terminate())
    socket.once('upgrade', (response) => {
      for (const line of response.headers['set-cookie'] ?? []) newcomer.jar.take(line, `${origin}/`)
    })
    const saying = ['40', '421["say","hello"]']
    // The protocol of socket.io: open (0), then its own connect (40) and an event with an ack (42).
    const saved = new Promise((resolve) => {
      socket.on('message', (data) => {
        const packet = String(data)
        if (packet.startsWith('0') || packet.startsWith('40')) socket.send(saying.shift()!)
        else resolve(packet)
      })
    })
    expect(await saved).toBe('431["saved"]')
    expect((await newcomer.get('/')).json()).toEqual({ said: 'hello' })
  })
})
