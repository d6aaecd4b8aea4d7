import { oldStoreProgram } from '../../express-session/old-stores/program.js'
import { connectPgSimple, knexOnPostgres } from './postgres-stores.js'

for (const kind of [connectPgSimple, knexOnPostgres]) oldStoreProgram(kind)
