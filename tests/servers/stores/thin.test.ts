import { serverStore } from './suites/all.js'
import { thinOnRedis } from './thin-kind.js'

// The suites themselves: what is right passes, and `planted.test.ts` has what is not.
serverStore(thinOnRedis)
