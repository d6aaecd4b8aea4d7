// The same chat by socket.io: `node examples/socket-io/server.js`, once the package is built.
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { session } from 'coatcheck'
import express from 'express'
import { Server } from 'socket.io'

// A new secret at each start: the sessions are in memory, and do not outlive it either.
const sessions = session({ secret: randomBytes(32).toString('base64url') })
const app = express().use(sessions, express.urlencoded({ extended: false }))
app.get('/', (_req, res) => res.sendFile('page.html', { root: import.meta.dirname }))
app.post('/session', (req, res) => {
  req.session.user = String(req.body.name) // Any name will do; examples/app asks for a password.
  res.redirect('/')
})
app.post('/session/end', async (req, res) => {
  await req.session.destroy()
  res.redirect('/')
})

// A page of any site may open a WebSocket to here, and the browser sends our cookie along.
const isOwnPage = ({ headers: { origin, host } }) =>
  origin === undefined || origin.replace(/^https?:\/\//, '') === host

const server = createServer(app)
const io = new Server(server, { allowRequest: (req, answer) => answer(null, isOwnPage(req)) })
// So that polling counts as a visit, and the session does not end while somebody is here.
io.engine.use(sessions)

io.use(async (socket, next) => {
  try {
    // A session of the socket's own: a request's would still have that request's changes.
    const current = await sessions.read(socket.request)
    socket.data.session = current
    next(current?.user ? undefined : new Error('Sign in first'))
  } catch {
    next(new Error('Try again')) // The store does not answer.
  }
})

io.on('connection', (socket) => {
  const { session: current } = socket.data
  socket.join(current.id)
  socket.emit('said', `Hello ${current.user}`)
  socket.on('say', async (text) => {
    try {
      await current.reload() // Fails with ERR_GONE after a sign-out, in whichever process it was.
      const count = await current.update((data) => {
        data.said = (data.said ?? 0) + 1
        return data.said
      })
      io.emit('said', `${current.user} (${count}): ${text}`)
    } catch {
      socket.disconnect(true)
    }
  })
})

// A sign-out in this process need not wait for a message: the handle of the session is public.
sessions.on('destroy', ({ id }) => io.in(id).disconnectSockets(true))

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () =>
  console.log(`The chat is open: http://localhost:${server.address().port}`),
)
