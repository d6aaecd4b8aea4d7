import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import express, { type ErrorRequestHandler, type Express, type Request } from 'express'
import type { SessionManager } from '../../src/index.js'

export interface SoakData {
  [key: string]: unknown
}

export const STREAM_CHUNKS = 8
export const STREAM_CHUNK = 'x'.repeat(8 * 1024)

/** What the visitors of a soak can do. Every answer tells who the handler saw. */
export function appWith(
  sessions: SessionManager<SoakData>,
  meddle: (req: Request) => void,
): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use(sessions)
  const of = (req: Request) => sessions.of(req).session as unknown as Session
  const query = (req: Request) => req.query as Record<string, string>
  const wait = async (ms: string | undefined) => {
    if (ms !== undefined && ms !== '0') await sleep(Number(ms))
  }

  app.use((req, _res, next) => {
    meddle(req)
    next()
  })
  app.get('/read', async (req, res) => {
    await wait(query(req).wait)
    res.json({ data: of(req), id: of(req).isNew ? null : of(req).id })
  })
  app.post('/login', async (req, res) => {
    of(req).userId = query(req).user
    if (query(req).save) await of(req).save()
    res.json({})
  })
  app.post('/set', async (req, res) => {
    const { key = '', value = '', save } = query(req)
    const seen = of(req).userId ?? null
    await wait(query(req).wait)
    of(req)[key] = JSON.parse(value)
    if (save) await of(req).save()
    res.json({ seen })
  })
  app.post('/delete', (req, res) => {
    delete of(req)[query(req).key ?? '']
    res.json({ seen: of(req).userId ?? null })
  })
  app.post('/add', async (req, res) => {
    const { key = '', wait: ms } = query(req)
    await wait(ms)
    const n = await of(req).update(async (data) => {
      if (Math.random() < 0.3) await sleep(1)
      const next = (Number(data[key]) || 0) + 1
      data[key] = next
      return next
    })
    res.json({ n })
  })
  app.post('/stream', async (req, res) => {
    const { key = '', value = '' } = query(req)
    of(req)[key] = JSON.parse(value)
    for (let i = 0; i < STREAM_CHUNKS && !res.destroyed; i++) {
      if (!res.write(STREAM_CHUNK)) await Promise.race([once(res, 'drain'), once(res, 'close')])
    }
    res.end()
  })
  app.post('/regenerate', async (req, res) => {
    await of(req).regenerate({ keep: true })
    res.json({})
  })
  app.post('/logout', async (req, res) => {
    const { how } = query(req)
    if (how === 'null') Reflect.set(req, 'session', null)
    else if (how === 'delete') Reflect.deleteProperty(req, 'session')
    else await of(req).destroy()
    res.json({})
  })
  app.post('/revoke', async (req, res) => {
    const { user = '', keep } = query(req)
    const except = keep ? { except: of(req).id } : {}
    res.json({ n: await sessions.revokeUser(user, except) })
  })
  const onError: ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(error.status ?? 500).json({ code: error.code ?? 'none' })
  }
  app.use(onError)
  return app
}

interface Session extends SoakData {
  readonly id: string
  readonly isNew: boolean
  save(): Promise<void>
  destroy(): Promise<void>
  regenerate(options: { keep: true }): Promise<void>
  update<T>(change: (data: SoakData) => Promise<T>): Promise<T>
}
