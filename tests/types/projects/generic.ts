// `session<Data>()`, without augmentation and without Express.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import { hasCode, type ListedSession, type Session, type SessionManager, session } from 'coatcheck'

interface Data {
  userId: string
  views: number
}

const sessions: SessionManager<Data> = session<Data>({
  secret: 'a secret of at least thirty-two bytes',
  user: (data) => data.userId,
})
session<Data>({
  secret: 'a secret of at least thirty-two bytes',
  // @ts-expect-error TS2551: a field that nobody declared
  user: (data) => data.usrId,
})

createServer((req, res) => {
  sessions(req, res, async (error) => {
    if (error !== undefined && hasCode(error, 'ERR_STORE')) return res.end()
    const current: Session<Data> = sessions.of(req).session
    current.views = (current.views ?? 0) + 1
    // @ts-expect-error TS2322: a field has one type
    current.userId = 42
    // @ts-expect-error TS2551: a field that nobody declared
    current.usrId = '42'
    const views: number | undefined = await current.update((data) => data.views)
    return res.end(String(views))
  })
})

createSecureServer({}, (req, res) => sessions(req, res, () => res.end()))

// What connect and everything like it takes.
type Next = (error?: unknown) => void
type ConnectHandler = (req: IncomingMessage, res: ServerResponse, next: Next) => void
const handler: ConnectHandler = sessions

export async function outside(req: IncomingMessage): Promise<ListedSession<Data>[]> {
  const read = await sessions.read(req)
  // @ts-expect-error TS18047: a request may have no session
  read.views
  const views: number | undefined = read?.views
  await sessions.issue({ userId: '42' })
  // @ts-expect-error TS2322: data of the declared types only
  await sessions.issue({ userId: 42 })
  const listed = await sessions.list('42')
  const userId: string | undefined = listed[0]?.data.userId
  const stop: () => void = sessions.on('renew', ({ from, reason, at }) => {
    console.log(from, reason === 'login', at + 1)
  })
  // @ts-expect-error TS2345: an event that there is not
  sessions.on('renewed', () => {})
  // @ts-expect-error TS2345: a code that there is not
  hasCode(new Error(), 'ERR_NONE')
  stop()
  console.log(views, userId, handler)
  return listed
}

export function open(sessions: SessionManager<Record<string, unknown>>, req: object): unknown {
  const { session: current } = sessions.of(req)
  current.anything = 1
  // @ts-expect-error TS2540: a member is not data
  current.id = 'mine'
  return current.anything
}
