import { oldStoreProgram } from '../../express-session/old-stores/program.js'
import { connectRedis } from './redis-store.js'

oldStoreProgram(connectRedis)
