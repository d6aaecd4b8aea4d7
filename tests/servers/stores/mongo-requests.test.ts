import {
  besideTouchAfter,
  onMongo7,
  withKruptein,
  withObjects,
  withWebCrypto,
} from './mongo-kinds.js'
import { storeFaults } from './suites/faults.js'
import { storeProcesses } from './suites/processes.js'
import { storeTurns } from './suites/turns.js'
import { storeWire } from './suites/wire.js'

for (const kind of [onMongo7, withObjects, withKruptein]) storeWire(kind)
storeTurns(besideTouchAfter)
for (const kind of [onMongo7, withObjects, withKruptein, withWebCrypto]) storeTurns(kind)
storeProcesses(onMongo7)
storeFaults(onMongo7)
