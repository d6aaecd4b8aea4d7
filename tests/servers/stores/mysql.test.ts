import { mysqlKinds } from './mysql-kinds.js'
import { storeConformance } from './suites/conformance.js'

for (const kind of mysqlKinds) storeConformance(kind)
