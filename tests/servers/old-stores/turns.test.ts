import { sessionFileStore } from '../../express-session/old-stores/file-store.js'
import { oldStoreTurns } from '../../express-session/old-stores/turns.js'
import { memcachedStores } from './memcached-stores.js'
import { mongoStores } from './mongo-stores.js'
import { expressMysqlSession } from './mysql-store.js'
import { connectPgSimple, knexOnPostgres } from './postgres-stores.js'
import { connectRedis } from './redis-store.js'
import { betterSqlite3SessionStore, knexOnSqlite } from './sqlite-stores.js'

const kinds = [
  connectRedis,
  ...mongoStores,
  expressMysqlSession,
  connectPgSimple,
  ...memcachedStores,
  knexOnPostgres,
  knexOnSqlite,
  betterSqlite3SessionStore,
  sessionFileStore,
]

for (const kind of kinds.filter(({ isEncrypted }) => !isEncrypted)) oldStoreTurns(kind)
