// What is new in the drop-in.
import type { IncomingMessage, ServerResponse } from 'node:http'
import session, {
  type Callback,
  LegacyStore,
  session as named,
  type RequestSession,
  type SessionMiddleware,
} from 'coatcheck/express-session'
import { FileStore } from 'coatcheck/stores/file'
import express from 'express'

declare module 'coatcheck/express-session' {
  interface SessionData {
    views: number
  }
}

const sessions: SessionMiddleware = session({
  secret: 'a secret',
  store: new FileStore({ path: 'sessions' }),
  storeTimeout: 5_000,
  clearOnDestroy: true,
  onStoreError: 'fail',
})
named({
  secret: 'a secret',
  store: new LegacyStore(new FileStore({ path: 'sessions' }), { ttl: 1 }),
})
// @ts-expect-error TS2820: one of two
session({ secret: 'a secret', onStoreError: 'responds' })

const app = express().use(sessions)
// What engine.io declares for `io.engine.use`.
type EngineMiddleware = (
  req: IncomingMessage,
  res: ServerResponse,
  // biome-ignore lint/suspicious/noExplicitAny: as it does
  next: (error?: any) => void,
) => void
export const handler: EngineMiddleware = sessions

app.get('/', async (req, res) => {
  await req.session.regenerate()
  req.session.views = 1
  req.session.save().catch((error) => console.error(error.message))
  await req.session.save()
  await req.session.reload()
  const saved: Promise<void> = req.session.save()
  const callback: Callback = () => res.end()
  const chained: RequestSession = req.session.touch().save(callback)
  console.log(chained, await saved)
  await req.session.destroy()
})

app.get('/end', (req, res) => {
  // Without a cast.
  req.session = null
  res.end()
})

export async function stored(store: LegacyStore, id: string): Promise<number | undefined> {
  const found = await store.get(id)
  await store.destroy(id)
  return found?.views
}
export const closed: Promise<void> = sessions.close()
