import { oldStoreProgram } from '../../express-session/old-stores/program.js'
import { betterSqlite3SessionStore, knexOnSqlite } from './sqlite-stores.js'

for (const kind of [betterSqlite3SessionStore, knexOnSqlite]) oldStoreProgram(kind)
