import { io, type Socket } from 'socket.io-client'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { CookieClient } from '../../src/testing/index.js'
import { SOCKET_IO_SERVER, sharedApp } from './app-process.js'

let house: Awaited<ReturnType<typeof sharedApp>>
beforeAll(async () => {
  house = await sharedApp(SOCKET_IO_SERVER)
  return house.close
})

async function signedIn(name: string): Promise<CookieClient> {
  const visitor = new CookieClient(house.app.url)
  const { status } = await visitor.post('/session', { body: new URLSearchParams({ name }) })
  expect(status).toBe(302)
  return visitor
}

function connect(visitor: CookieClient, transports: string[], headers = {}): Socket {
  const cookie = visitor.jar.header(`${visitor.origin}/`)
  const extraHeaders = { ...headers, ...(cookie === undefined ? {} : { cookie }) }
  const socket = io(visitor.origin, {
    transports,
    extraHeaders,
    reconnection: false,
    forceNew: true,
  })
  onTestFinished(() => void socket.disconnect())
  return socket
}

/** What the next event of a socket, or of its engine, brings. */
function next<T>(
  source: { once(name: string, listener: (first: T) => void): unknown },
  name: string,
) {
  return new Promise<T>((resolve) => source.once(name, resolve))
}

const said = (socket: Socket) => next<string>(socket, 'said')

describe.each([
  ['polling', ['polling']],
  ['an upgrade after polling', ['polling', 'websocket']],
  ['WebSocket alone', ['websocket']],
])('by %s', (_, transports) => {
  it('a socket knows who has signed in by http, and stores what it changes', async () => {
    const ada = await signedIn('ada')
    const first = connect(ada, transports)
    expect(await said(first)).toBe('Hello ada')
    const { engine } = first.io
    const last = transports.at(-1)
    if (engine.transport.name !== last) await next(engine, 'upgrade')
    expect(engine.transport.name).toBe(last)

    first.emit('say', 'good evening')
    expect(await said(first)).toBe('ada (1): good evening')
    const second = connect(ada, transports)
    expect(await said(second)).toBe('Hello ada')
    second.emit('say', 'again')
    expect(await said(first)).toBe('ada (2): again')
  })

  it('a sign-out by http closes the open sockets of that session, and no others', async () => {
    const [ada, bob] = [await signedIn('ada'), await signedIn('bob')]
    const [mine, other] = [connect(ada, transports), connect(bob, transports)]
    await Promise.all([said(mine), said(other)])
    const closed = next(mine, 'disconnect')
    await ada.post('/session/end')
    await closed

    const error = await next<Error>(connect(ada, transports), 'connect_error')
    expect(error.message).toBe('Sign in first')
    other.emit('say', 'still here')
    expect(await said(other)).toBe('bob (1): still here')
  })

  it('refuses who has not signed in, and every page of another site', async () => {
    const stranger = connect(new CookieClient(house.app.url), transports)
    expect((await next<Error>(stranger, 'connect_error')).message).toBe('Sign in first')

    const lured = connect(await signedIn('ada'), transports, {
      origin: 'https://elsewhere.example',
    })
    expect((await next<Error>(lured, 'connect_error')).message).toMatch(
      /^(?:xhr poll|websocket) error$/,
    )
  })
})

it('serves a page with a place to sign in, and the client', async () => {
  const page = await new CookieClient(house.app.url).get('/')
  expect([page.status, page.setCookies]).toEqual([200, []])
  const source = /<script src="([^"]+)"/.exec(page.text())?.[1]
  expect((await new CookieClient(house.app.url).get(source!)).status).toBe(200)
})
