// The same three cases without sockets and in one process: less noise, and other versions of Node
// are one command away. CPU of the middleware, Express (or nothing) and the handler.
//
//   node benchmarks/in-process.mjs [--host express|plain] [--requests 5000] [--baseline <folder>]
//
// where the folder is a clone of another commit, with its own dist.
import { IncomingMessage, ServerResponse } from 'node:http'
import { join, resolve } from 'node:path'
import { Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { session } from 'coatcheck'
import dropIn from 'coatcheck/express-session'
import express from 'express'
import expressSession from 'express-session'

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: 'express' },
    requests: { type: 'string', default: '5000' },
    baseline: { type: 'string' },
  },
})
const requests = Number(values.requests)
const ROUNDS = 12
const secret = 'a secret of the benchmark, of 32 bytes and more'
const baseline =
  values.baseline === undefined
    ? undefined
    : await import(pathToFileURL(join(resolve(values.baseline), 'dist/esm/index.js')).href)

const sides = {
  bare: (req, _res, next) => {
    req.session = {}
    next()
  },
  coatcheck: session({ secret }),
  'drop-in': dropIn({ secret, resave: false, saveUninitialized: false }),
  'express-session': expressSession({ secret, resave: false, saveUninitialized: false }),
  ...(baseline && { baseline: baseline.session({ secret }) }),
}

function start(req, res) {
  req.session.account = { name: 'Ada Lovelace', roles: ['editor', 'author'], theme: 'dark' }
  req.session.cart = {
    items: [
      { sku: 'coat-1', count: 1 },
      { sku: 'hat-7', count: 2 },
    ],
  }
  req.session.views = 1
  res.end()
}

const cases = {
  read: (req, res) => res.end(JSON.stringify(req.session.account?.name ?? 'nobody')),
  write: (req, res) => {
    req.session.views = (req.session.views ?? 0) + 1
    res.end('{"ok":true}')
  },
  anonymous: (_req, res) => res.end('{"ok":true}'),
}

class Nowhere extends Writable {
  remoteAddress = '127.0.0.1'
  _write(_chunk, _encoding, done) {
    done()
  }
  _writev(_chunks, done) {
    done()
  }
}

const hosts = new Map()

/** What takes (req, res): one Express application for each middleware and handler, or none. */
function hostOf(middleware, handler) {
  const known = hosts.get(handler) ?? new Map()
  hosts.set(handler, known)
  if (!known.has(middleware)) known.set(middleware, makeHost(middleware, handler))
  return known.get(middleware)
}

function makeHost(middleware, handler) {
  if (values.host === 'plain') return (req, res) => middleware(req, res, () => handler(req, res))
  const app = express()
  app.disable('x-powered-by')
  app.use(middleware)
  app.get('/', handler)
  return app
}

function serve(host, cookie) {
  return new Promise((resolve) => {
    const socket = new Nowhere()
    const req = new IncomingMessage(socket)
    req.method = 'GET'
    req.url = '/'
    req.originalUrl = '/'
    req.headers = cookie === undefined ? { host: 'a' } : { host: 'a', cookie }
    const res = new ServerResponse(req)
    res.assignSocket(socket)
    res.on('finish', () => resolve(res))
    host(req, res)
  })
}

const cookies = {}
for (const [side, middleware] of Object.entries(sides)) {
  const res = await serve(hostOf(middleware, start))
  cookies[side] = String(res.getHeader('set-cookie') ?? '').split(';')[0]
}

console.log(
  `Node ${process.version}, host: ${values.host}; best of ${ROUNDS} rounds of ${requests}`,
)
for (const [name, handler] of Object.entries(cases)) {
  const best = {}
  for (let round = 0; round < ROUNDS; round++) {
    // Who runs behind whom changes, and with it who pays for the garbage of whom.
    const order = Object.entries(sides)
    if (round % 2 === 1) order.reverse()
    for (const [side, middleware] of order) {
      const host = hostOf(middleware, handler)
      const cookie = name === 'anonymous' || side === 'bare' ? undefined : cookies[side]
      const began = process.cpuUsage()
      for (let count = 0; count < requests; count++) await serve(host, cookie)
      const { user, system } = process.cpuUsage(began)
      best[side] = Math.min(best[side] ?? Number.POSITIVE_INFINITY, (user + system) / requests)
    }
  }
  const added = (side) => (best[side] - best.bare) / (best['express-session'] - best.bare)
  const ratios = ['coatcheck', 'drop-in'].map((side) => `${side} ${added(side).toFixed(2)}`)
  const micros = Object.entries(best).map(([side, cpu]) => `${side} ${cpu.toFixed(1)} µs`)
  console.log(`${name}: ${micros.join(', ')}; added, as a ratio: ${ratios.join(', ')}`)
  if (baseline)
    console.log(`  coatcheck / baseline: ${(best.coatcheck / best.baseline).toFixed(2)}`)
}
