import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { WebSocketServer } from 'ws'
import { type SessionManager, type SessionOptions, session } from '../../src/index.js'
import { type AnyData, SECRET } from '../support/serve.js'
import type { Backends } from './proxies.js'

export const HANDLER_COOKIES = ['a=1; Path=/', 'b=2; Path=/; HttpOnly', 'c=3; Path=/']

/** Applications as people put them behind a proxy, by the host name they get. */
const APPS = {
  /** Express that has been told of its proxy. */
  trusting: {},
  /** Express that has not. */
  untold: {},
  /** Plain Node that has been told. */
  plain: { trustProxy: true },
  /** Plain Node that has not, with the setting that needs nobody's word. */
  always: { cookie: { secure: true } },
} satisfies Record<string, Partial<SessionOptions>>

export type AppName = keyof typeof APPS
export const APP_NAMES = Object.keys(APPS) as AppName[]

export function hostOf(name: AppName): string {
  return `${name}.coats.example`
}

export interface ProxiedApp {
  readonly sessions: SessionManager<AnyData>
  readonly warnings: string[]
}

export interface ProxiedApps {
  readonly apps: Readonly<Record<AppName, ProxiedApp>>
  readonly backends: Backends
  close(): Promise<void>
}

/** All of them, listening. */
export async function startApps(): Promise<ProxiedApps> {
  const apps: Partial<Record<AppName, ProxiedApp>> = {}
  const backends: Record<string, number> = {}
  const servers: Server[] = []
  for (const name of APP_NAMES) {
    const sessions = session<AnyData>({ secret: SECRET, ...APPS[name] })
    const warnings: string[] = []
    sessions.on('warning', ({ code }) => warnings.push(code))
    const server = createServer(listenerOf(name, sessions))
    serveSockets(server, sessions)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    servers.push(server)
    apps[name] = { sessions, warnings }
    backends[hostOf(name)] = (server.address() as AddressInfo).port
  }
  return {
    apps: apps as Record<AppName, ProxiedApp>,
    backends,
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
      await Promise.all(APP_NAMES.map((name) => apps[name]!.sessions.close()))
    },
  }
}

function listenerOf(name: AppName, sessions: SessionManager<AnyData>): RequestListener {
  const handle = handlerOf(sessions)
  if (name === 'plain' || name === 'always') {
    return (req, res) => sessions(req, res, () => void handle(req, res))
  }
  const app = express()
  if (name === 'trusting') app.set('trust proxy', 'loopback')
  return app.use(sessions).use(handle)
}

function handlerOf(sessions: SessionManager<AnyData>) {
  return async (...[req, res]: Parameters<RequestListener>): Promise<void> => {
    const { session: current } = sessions.of(req)
    if (req.url === '/login') {
      current.userId = 'ada'
      res.setHeader('Set-Cookie', HANDLER_COOKIES)
      res.writeHead(302, { Location: '/' }).end()
      return
    }
    if (req.url === '/logout') await current.destroy()
    const { forwardedProto, decided } = sessions.explain(req)!.secure
    res.end(JSON.stringify({ data: current, forwardedProto, decided }))
  }
}

/** Greets whoever is signed in, by `sessions.read`, and nobody else. */
function serveSockets(server: Server, sessions: SessionManager<AnyData>): void {
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', async (req, socket, head) => {
    // Whoever is refused may hang up first.
    socket.on('error', () => {})
    const found = await sessions.read(req)
    if (found?.userId === undefined) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      return
    }
    sockets.handleUpgrade(req, socket, head, (client) => client.send(`hello ${found.userId}`))
  })
}
