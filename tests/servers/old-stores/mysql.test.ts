import { oldStoreProgram } from '../../express-session/old-stores/program.js'
import { expressMysqlSession } from './mysql-store.js'

oldStoreProgram(expressMysqlSession)
