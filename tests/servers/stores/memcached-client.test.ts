import { onClient } from './memcached-kinds.js'
import { storeConformance } from './suites/conformance.js'
import { storeFaults } from './suites/faults.js'
import { storeProcesses } from './suites/processes.js'
import { storeTurns } from './suites/turns.js'
import { storeWire } from './suites/wire.js'

storeConformance(onClient)
storeWire(onClient)
storeFaults(onClient)
storeTurns(onClient)
storeProcesses(onClient)
