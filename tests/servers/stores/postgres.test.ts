import { postgresKinds } from './postgres-kinds.js'
import { storeConformance } from './suites/conformance.js'

for (const kind of postgresKinds) storeConformance(kind)
