import { once } from 'node:events'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { CookieClient } from '../../src/testing/index.js'
import { sharedApp, WS_SERVER } from './app-process.js'

let house: Awaited<ReturnType<typeof sharedApp>>
beforeAll(async () => {
  house = await sharedApp(WS_SERVER)
  return house.close
})

async function signedIn(name: string): Promise<CookieClient> {
  const visitor = new CookieClient(house.app.url)
  const { status } = await visitor.post('/session', { body: new URLSearchParams({ name }) })
  expect(status).toBe(302)
  return visitor
}

/** An upgrade with the cookies of a browser; `said` are its messages one by one. */
function connect({ origin, jar }: CookieClient, from = origin) {
  const cookie = jar.header(`${origin}/`)
  const headers = cookie === undefined ? {} : { cookie }
  const socket = new WebSocket(origin.replace('http', 'ws'), { headers, origin: from })
  // A refused one is closed before it was open, which `ws` calls an error.
  socket.on('error', () => {})
  onTestFinished(() => socket.terminate())
  const waiting: string[] = []
  const readers: ((text: string) => void)[] = []
  socket.on('message', (data) => {
    const reader = readers.shift()
    if (reader === undefined) waiting.push(String(data))
    else reader(String(data))
  })
  const said = () =>
    new Promise<string>((resolve) => {
      const text = waiting.shift()
      if (text === undefined) readers.push(resolve)
      else resolve(text)
    })
  return { socket, said }
}

async function refusal(visitor: CookieClient, from?: string): Promise<number> {
  const { socket } = connect(visitor, from)
  const [, response] = await once(socket, 'unexpected-response')
  return response.statusCode
}

it('a socket knows who has signed in by http, and stores what it changes', async () => {
  const ada = await signedIn('ada')
  const first = connect(ada)
  expect(await first.said()).toBe('Hello ada')
  first.socket.send('good evening')
  expect(await first.said()).toBe('ada (1): good evening')

  const second = connect(ada)
  expect(await second.said()).toBe('Hello ada')
  second.socket.send('again')
  expect([await first.said(), await second.said()]).toEqual(['ada (2): again', 'ada (2): again'])
})

it('a sign-out by http closes the open sockets of that session, and no others', async () => {
  const [ada, bob] = [await signedIn('ada'), await signedIn('bob')]
  const [first, second, other] = [connect(ada), connect(ada), connect(bob)]
  await Promise.all([first.said(), second.said(), other.said()])

  const closed = [first, second].map(({ socket }) => once(socket, 'close'))
  await ada.post('/session/end')
  for (const [code, reason] of await Promise.all(closed)) {
    expect([code, String(reason)]).toEqual([1008, 'Signed out'])
  }
  expect(await refusal(ada)).toBe(401)
  other.socket.send('still here')
  expect(await other.said()).toBe('bob (1): still here')
})

it('refuses who has not signed in, and every page of another site', async () => {
  expect(await refusal(new CookieClient(house.app.url))).toBe(401)
  const ada = await signedIn('ada')
  expect(await refusal(ada, 'https://elsewhere.example')).toBe(403)
  expect(await refusal(ada, `${house.app.url}.elsewhere.example`)).toBe(403)
})

it('serves a page with a place to sign in', async () => {
  const page = await new CookieClient(house.app.url).get('/')
  expect([page.status, page.setCookies]).toEqual([200, []])
  expect(page.text()).toContain('action="/session"')
})
