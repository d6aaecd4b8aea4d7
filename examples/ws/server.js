// A chat for those who have signed in: `node examples/ws/server.js`, once the package is built.
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { session } from 'coatcheck'
import express from 'express'
import { WebSocketServer } from 'ws'

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
const sockets = new WebSocketServer({ noServer: true, maxPayload: 4096 })
server.on('upgrade', async (req, socket, head) => {
  const refuse = (status) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`)
  socket.on('error', () => socket.destroy())
  if (!isOwnPage(req)) return refuse('403 Forbidden')
  try {
    const current = await sessions.read(req)
    if (!current?.user) return refuse('401 Unauthorized')
    sockets.handleUpgrade(req, socket, head, (ws) => welcome(ws, current))
  } catch {
    refuse('503 Service Unavailable') // The store does not answer.
  }
})

function welcome(ws, current) {
  ws.sessionId = current.id
  ws.send(`Hello ${current.user}`)
  ws.on('error', () => ws.terminate())
  ws.on('message', async (text) => {
    try {
      await current.reload() // Fails with ERR_GONE after a sign-out, in whichever process it was.
      const count = await current.update((data) => {
        data.said = (data.said ?? 0) + 1
        return data.said
      })
      for (const other of sockets.clients) other.send(`${current.user} (${count}): ${text}`)
    } catch (error) {
      ws.close(error.code === 'ERR_GONE' ? 1008 : 1011)
    }
  })
}

// A sign-out in this process need not wait for a message: the handle of the session is public.
sessions.on('destroy', ({ id }) => {
  for (const ws of sockets.clients) if (ws.sessionId === id) ws.close(1008, 'Signed out')
})

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () =>
  console.log(`The chat is open: http://localhost:${server.address().port}`),
)
