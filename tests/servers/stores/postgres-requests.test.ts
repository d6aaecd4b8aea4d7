import { onItsTable, onPg, onPgBouncer, onPostgresJs, postgresKinds } from './postgres-kinds.js'
import { storeFaults } from './suites/faults.js'
import { storeProcesses } from './suites/processes.js'
import { storeTurns } from './suites/turns.js'
import { storeWire } from './suites/wire.js'

for (const kind of postgresKinds) storeWire(kind)
// What a lost connection means is the driver's.
for (const kind of [onPg, onPostgresJs]) storeFaults(kind)
for (const kind of [onPg, onPgBouncer]) storeProcesses(kind)
for (const kind of [onPg, onItsTable]) storeTurns(kind)
