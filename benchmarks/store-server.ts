// One application under test, started by stores.ts: arguments are the side (`coatcheck`, `drop-in` or
// `theirs`), the store and the URL of its server. Tells its port, and its CPU time whenever it is
// asked.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import expressSession from 'express-session'
import { STORES, type StoreName } from './store-sides.js'

interface AnySession {
  [key: string]: unknown
  regenerate(done: (error?: unknown) => void): void
  save(done: (error?: unknown) => void): void
}

const [side = '', name = '', url = '', dist = ''] = process.argv.slice(2)
const secret = 'a secret of the benchmark, of 32 bytes and more'
const old = { secret, resave: false, saveUninitialized: false, cookie: { maxAge: 86_400_000 } }
const load = (path: string) => import(new URL(path, dist).href)
const { ours, theirs } = STORES[name as StoreName]

const middlewares: Record<string, () => Promise<RequestHandler>> = {
  coatcheck: async () => (await load('index.js')).session({ secret, store: await ours(url, load) }),
  'drop-in': async () => {
    const { session } = await load('express-session/index.js')
    return session({ ...old, store: await ours(url, load) })
  },
  theirs: async () => expressSession({ ...old, store: await theirs.open(url) }),
}

process.env.NODE_ENV = 'production'
process.removeAllListeners('warning')
const app = express()
app.disable('x-powered-by')
app.use(await middlewares[side]!())
const sessionOf = (req: object) => (req as { session: AnySession }).session

app.get('/start', (req, res) => {
  const session = sessionOf(req)
  session.account = { name: 'Ada Lovelace', roles: ['editor', 'author'], theme: 'dark' }
  session.cart = { items: [{ sku: 'coat-1', count: 1 }] }
  session.views = 1
  res.end()
})
app.get('/read', (req, res) => {
  const { account } = sessionOf(req) as { account?: { name: string } }
  // What is lost would be cheap.
  if (account === undefined) res.status(500).end()
  else res.json({ name: account.name })
})
app.get('/change', (req, res) => {
  const session = sessionOf(req)
  session.views = Number(session.views ?? 0) + 1
  res.json({ ok: true })
})
app.get('/sign-in', (req, res) => {
  const session = sessionOf(req)
  const userId = `user-${Math.floor(Math.random() * 1000)}`
  if (side === 'coatcheck') {
    session.userId = userId
    res.json({ ok: true })
    return
  }
  // As the manual says, and with what the visitor had before.
  const { account, cart, views } = session
  session.regenerate((failed) => {
    if (failed) return void res.status(500).end()
    Object.assign(sessionOf(req), { account, cart, views, userId })
    sessionOf(req).save((error) => void (error ? res.status(500).end() : res.json({ ok: true })))
  })
})

const server = createServer(app)
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port })
})
process.on('message', () => void process.send!({ cpu: process.cpuUsage() }))
process.on('disconnect', () => process.exit())
