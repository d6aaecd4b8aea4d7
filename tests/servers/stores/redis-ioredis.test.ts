import { onIoRedis } from './redis-kinds.js'
import { storeConformance } from './suites/conformance.js'
import { storeFaults } from './suites/faults.js'
import { storeWire } from './suites/wire.js'

// Processes, and turns with connect-redis, are tried with the other driver.
storeConformance(onIoRedis)
storeWire(onIoRedis)
storeFaults(onIoRedis)
