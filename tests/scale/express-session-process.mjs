// A process of its own with the drop-in over the folder of a file store. Arguments: the URL of the
// built sources, and the job as JSON: { path, secret, cookie, action, names }. Does the action once
// for each of the names, all in parallel, and prints the status of each answer.
import { once } from 'node:events'
import { createServer } from 'node:http'

const [base, job] = process.argv.slice(2)
const { LegacyStore, session } = await import(new URL('express-session/index.js', base))
const { FileStore } = await import(new URL('stores/file.js', base))
const { path, secret, cookie, action, names } = JSON.parse(job)

const sessions = session({
  secret,
  resave: false,
  saveUninitialized: false,
  onStoreError: 'fail',
  storeTimeout: 60_000,
  store: new LegacyStore(new FileStore({ path, fsync: false })),
})

/** All have loaded the session before one of them goes on. */
let here = 0
let open
const everybody = new Promise((resolve) => {
  open = resolve
})

const actions = {
  set(req, name) {
    req.session[name] = true
  },
  destroy(req) {
    req.session.destroy()
  },
}

const server = createServer((req, res) => {
  sessions(req, res, async (error) => {
    if (error) {
      res.statusCode = 500
      res.end(error.code)
      return
    }
    if (++here === names.length) open()
    await everybody
    actions[action](req, req.url.slice(1))
    res.end()
  })
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${server.address().port}`

// The signal to begin, so that all processes do.
process.stdout.write('ready\n')
await once(process.stdin, 'data')
process.stdin.pause()

const headers = { cookie }
const answers = await Promise.all(names.map((name) => fetch(`${origin}/${name}`, { headers })))
process.stdout.write(`${JSON.stringify(answers.map(({ status }) => status))}\n`)
server.closeAllConnections()
server.close()
