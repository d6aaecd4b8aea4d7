import { onMariadb, onMysql2 } from './mysql-kinds.js'
import { storeFaults } from './suites/faults.js'
import { storeProcesses } from './suites/processes.js'
import { storeTurns } from './suites/turns.js'
import { storeWire } from './suites/wire.js'

for (const kind of [onMysql2, onMariadb]) storeWire(kind)
storeFaults(onMysql2)
storeProcesses(onMysql2)
storeTurns(onMariadb)
