import { onNodeRedis } from './redis-kinds.js'
import { storeConformance } from './suites/conformance.js'
import { storeFaults } from './suites/faults.js'
import { storeProcesses } from './suites/processes.js'
import { storeTurns } from './suites/turns.js'
import { storeWire } from './suites/wire.js'

storeConformance(onNodeRedis)
storeWire(onNodeRedis)
storeProcesses(onNodeRedis)
storeFaults(onNodeRedis)
storeTurns(onNodeRedis)
