import { oldStoreProgram } from '../../express-session/old-stores/program.js'
import { memcachedStores } from './memcached-stores.js'

for (const kind of memcachedStores) oldStoreProgram(kind)
