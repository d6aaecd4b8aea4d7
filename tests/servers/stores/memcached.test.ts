import { onServers } from './memcached-kinds.js'
import { serverStore } from './suites/all.js'

serverStore(onServers)
