import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, it } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import { RedisStore } from '../../../src/stores/redis.js'
import { testStore } from '../../../src/testing/index.js'
import type { OpenClient } from './redis-clients.js'
import { freshPlace } from './suites/suite.js'

const DIRECT = 'its clients go to each node by the address that the node gives'

/** The contract, on several servers, which no proxy can stand before. */
export function contractOnGroup(name: string, connect: () => Promise<OpenClient>): void {
  let clients: Promise<[OpenClient, OpenClient]> | undefined
  const opened = () => {
    clients ??= Promise.all([connect(), connect()])
    return clients
  }
  afterAll(async () => {
    for (const client of (await clients) ?? []) await client.close()
  })
  const describeClause = (title: string, body: () => void) => {
    // These are made of waiting.
    if (/^S(?:7|8|20) /.test(title)) describe.concurrent(title, body)
    else describe(title, body)
  }
  testStore({ describe: describeClause, it }, name, {
    async open() {
      const [place, [open, other]] = [freshPlace(), await opened()]
      const at = (prefix: string, { client }: OpenClient = open) =>
        new RedisStore({ client, prefix: `${prefix}:` })
      return {
        store: at(place),
        clock: systemClock,
        advance: (ms) => delay(ms),
        another: () => at(place, other),
        elsewhere: () => at(`${place.slice(0, -4)}*`),
      }
    },
    realTime: true,
    drift: 500,
    lacks: {
      sweep: 'the server removes what has expired',
      // A minute of waiting, for each client.
      skewed: 'clocks are tried on one server',
      plant: 'it is tried on one server',
      trips: DIRECT,
      outage: DIRECT,
      blackHole: DIRECT,
      processes: 'they are tried on one server',
      exits: 'it is tried on one server',
      predecessor: 'it is tried on one server',
    },
  })
}
