import { oldStoreProgram } from '../../express-session/old-stores/program.js'
import { mongoStores } from './mongo-stores.js'

for (const kind of mongoStores) oldStoreProgram(kind)
