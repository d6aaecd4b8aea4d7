import { chunks } from './chunks.js'
import { concurrency } from './concurrency.js'
import { cookieSession } from './cookie-session.js'
import { cookies } from './cookies.js'
import { everywhere } from './everywhere.js'
import { expiry } from './expiry.js'
import { expressSession, usedByOthers } from './express-session.js'
import { failure } from './failure.js'
import { fuzz } from './fuzz.js'
import { lifecycle } from './lifecycle.js'
import { memcached } from './memcached.js'
import { mongodb } from './mongodb.js'
import { movingOver } from './moving-over.js'
import type { Mutation } from './mutation.js'
import { mysql } from './mysql.js'
import { oldStores } from './old-stores.js'
import { operation } from './operation.js'
import { postgres } from './postgres.js'
import { redis } from './redis.js'
import { responses } from './responses.js'
import { revocations } from './revocations.js'
import { sqlite } from './sqlite.js'
import { stores } from './stores.js'
import { tokens } from './tokens.js'

/** Every list, in the order of the rules. */
export const mutations: readonly Mutation[] = [
  ...concurrency,
  ...lifecycle,
  ...cookies,
  ...chunks,
  ...everywhere,
  ...fuzz,
  ...oldStores,
  ...mongodb,
  ...movingOver,
  ...cookieSession,
  ...expressSession,
  ...usedByOthers,
  ...operation,
  ...responses,
  ...expiry,
  ...failure,
  ...revocations,
  ...stores,
  ...tokens,
  ...memcached,
  ...postgres,
  ...redis,
  ...sqlite,
  ...mysql,
]
