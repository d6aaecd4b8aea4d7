import type { StoreKind } from '../kind.js'
import { storeConformance } from './conformance.js'
import { storeFaults } from './faults.js'
import { storeProcesses } from './processes.js'
import { storeTurns } from './turns.js'
import { storeWire } from './wire.js'

/**
 * Everything that a store on a server of somebody else has to pass. Files of one suite each run side
 * by side, where that is a matter of minutes.
 */
export function serverStore(kind: StoreKind): void {
  storeConformance(kind)
  storeWire(kind)
  storeFaults(kind)
  storeProcesses(kind)
  storeTurns(kind)
}
