import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import { RedisStore } from '../../../src/stores/redis.js'
import type { CookieClient } from '../../../src/testing/index.js'
import { fatal } from '../../support/process-events.js'
import { serveApp } from '../../support/serve.js'
import { cliOf } from '../../support/servers/redis-cli.js'
import { redisCluster } from '../../support/servers/redis-cluster.js'
import { redisSentinel } from '../../support/servers/redis-sentinel.js'
import { hasServer, type RunningServer } from '../../support/servers/server.js'
import { clusterClients, type OpenClient, sentinelClients } from './redis-clients.js'

const VISITORS = 50
const LIMIT = 1000

interface Scene {
  readonly open: OpenClient
  /** The servers that have replicas. */
  masters(): Promise<readonly RunningServer[]>
  failover(): Promise<unknown>
}

/** Visitors go on writing while a master crashes and its replica takes its place. */
async function failover({ open, masters, failover }: Scene): Promise<void> {
  const crashes = [fatal('uncaughtException'), fatal('unhandledRejection')]
  onTestFinished(() => void open.close())
  const store = new RedisStore({ client: open.client })
  const app = await serveApp(
    (app, sessions) => {
      app.get('/login/:user', (req, res) => {
        sessions.of(req).session.user = { id: req.params.user }
        res.json({})
      })
      app.get('/count', (req, res) => {
        const { session } = sessions.of(req)
        if (session.user === undefined) return void res.status(418).json({})
        session.views = Number(session.views ?? 0) + 1
        res.json({ views: session.views })
      })
    },
    { store, clock: systemClock as never, storeTimeout: LIMIT },
  )
  const errors: unknown[] = []
  app.sessions.on('error', ({ error }) => void errors.push(error))
  const visitors = Array.from({ length: VISITORS }, () => app.browser())
  await Promise.all(visitors.map((visitor, i) => visitor.get(`/login/user${i}`)))
  // A sign-in that no replica has is lost with its master, which no client can help.
  for (const master of await masters()) {
    const replicated = async () => Number(await cliOf(master)('WAIT', '1', '1000')) >= 1
    await vi.waitUntil(replicated, { timeout: 20_000 })
  }

  const statuses = new Map<number, number>()
  let over = false
  const counting = visitors.map(async (visitor) => {
    while (!over) {
      const { status } = await visitor.get('/count')
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      await delay(10)
    }
  })
  await failover()
  const isServed = async (visitor: CookieClient) => (await visitor.get('/count')).status === 200
  for (const visitor of visitors) {
    await vi.waitUntil(() => isServed(visitor), { timeout: 30_000, interval: 50 })
  }
  over = true
  await Promise.all(counting)

  // Nobody was signed out, and nobody has got another's or an empty session.
  for (const status of statuses.keys()) expect([200, 500, 503]).toContain(status)
  for (const [i, visitor] of visitors.entries()) {
    const answer = await visitor.get('/')
    expect(answer.json()).toMatchObject({ user: { id: `user${i}` } })
    expect(answer.json<{ views: number }>().views).toBeGreaterThan(0)
    const listed = await app.sessions.list(`user${i}`)
    expect(listed).toHaveLength(1)
  }
  for (const error of errors) {
    expect((error as { code?: unknown }).code).toMatch(/^ERR_STORE(?:_TIMEOUT)?$/)
  }
  expect(crashes.flat()).toEqual([])
}

describe.skipIf(!hasServer(redisSentinel))(
  'a failover of sentinels while 50 visitors write',
  () => {
    it.each(['redis6', 'ioredis6'] as const)('signs nobody out, by %s', async (driver) => {
      const trio = await redisSentinel.start()
      onTestFinished(() => trio.stop())
      await failover({
        open: await sentinelClients[driver](trio.master, trio.sentinels),
        masters: async () => [await trio.current()],
        failover: () => trio.failover(),
      })
    })
  },
)

describe.skipIf(!hasServer(redisCluster))('a failover in a cluster while 50 visitors write', () => {
  it.each(['redis6', 'ioredis6'] as const)('signs nobody out, by %s', async (driver) => {
    const cluster = await redisCluster.start()
    onTestFinished(() => cluster.stop())
    await failover({
      open: await clusterClients[driver](cluster.nodes),
      masters: async () => cluster.nodes.slice(0, 3),
      failover: () => cluster.failover('some key'),
    })
  })
})
