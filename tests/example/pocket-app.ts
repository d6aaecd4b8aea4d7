import express, { type Express } from 'express'
import type { SessionManager } from '../../src/index.js'
import type { AnyData } from '../support/serve.js'

/**
 * One page with three forms: who it is, how much is in the pockets, and the way out. What goes wrong
 * is shown as an alert.
 */
export function pocketApp(sessions: SessionManager<AnyData>): Express {
  const app = express()
  app.use(express.urlencoded({ extended: false }))
  app.use(sessions)
  const of = (req: object) => sessions.of(req).session
  app.get('/', (req, res) => void res.send(page(of(req))))
  app.post('/name', (req, res) => {
    of(req).userId = String(req.body.name)
    res.redirect('/')
  })
  app.post('/pockets', (req, res) => {
    of(req).pockets = 'x'.repeat(Number(req.body.bytes))
    res.redirect('/')
  })
  app.post('/out', async (req, res) => {
    await of(req).destroy()
    res.redirect('/')
  })
  const onError: express.ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(error.status ?? 500)
    res.send(html(`<p role="alert">${error.code}: ${error.message}</p><a href="/">Back</a>`))
  }
  app.use(onError)
  return app
}

function page({ userId, pockets }: AnyData): string {
  const name = typeof userId === 'string' ? userId : 'nobody'
  return html(`
<h1>Hello, <span data-testid="name">${name}</span></h1>
<p>In the pockets: <span data-testid="pockets">${String(pockets ?? '').length}</span> bytes</p>
<form method="post" action="/name"><label>Name <input name="name"></label>
<button>Sign in</button></form>
<form method="post" action="/pockets"><label>Bytes <input name="bytes"></label>
<button>Fill</button></form>
<form method="post" action="/out"><button>Sign out</button></form>`)
}

function html(body: string): string {
  return `<!doctype html><html lang="en"><title>Pockets</title><body>${body}</body></html>`
}
