// One server under test: node benchmarks/server.mjs <bare|coatcheck|drop-in|express-session|baseline> [URL]
// where the URL is the entry of another build of Coatcheck, the baseline.
// Tells its port, and its CPU time whenever it is asked.

import { session } from 'coatcheck'
import dropIn from 'coatcheck/express-session'
import express from 'express'
import expressSession from 'express-session'

const [side, baselineUrl] = process.argv.slice(2)
const baseline = side === 'baseline' ? await import(baselineUrl) : undefined
const secret = 'a secret of the benchmark, of 32 bytes and more'
const middleware = {
  bare: () => (req, _res, next) => {
    req.session = {}
    next()
  },
  coatcheck: () => session({ secret }),
  'drop-in': () => dropIn({ secret, resave: false, saveUninitialized: false }),
  'express-session': () => expressSession({ secret, resave: false, saveUninitialized: false }),
  baseline: () => baseline.session({ secret }),
}

process.env.NODE_ENV = 'production'
process.removeAllListeners('warning')
const app = express()
app.disable('x-powered-by')
app.use(middleware[side]())
app.get('/start', (req, res) => {
  req.session.account = { name: 'Ada Lovelace', roles: ['editor', 'author'], theme: 'dark' }
  req.session.cart = {
    items: [
      { sku: 'coat-1', count: 1 },
      { sku: 'hat-7', count: 2 },
    ],
  }
  req.session.views = 1
  res.end()
})
app.get('/read', (req, res) => res.json({ name: req.session.account?.name ?? 'nobody' }))
app.get('/write', (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1
  res.json({ ok: true })
})
app.get('/anonymous', (_req, res) => res.json({ ok: true }))

const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
server.keepAliveTimeout = 60_000
process.on('message', () => process.send({ cpu: process.cpuUsage() }))
process.on('disconnect', () => process.exit())
