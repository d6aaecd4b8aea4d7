import type { RunningServer, ServerKind } from '../../support/servers/server.js'
import type { Implementation } from '../implementations.js'

/** The module that a package for express-session is called with. */
export type SessionModule = Implementation['session']

/** A store of somebody else, as applications of express-session use it. */
export interface OldStoreKind {
  readonly name: string
  /** What has to run beside the tests. */
  readonly server?: ServerKind
  /** Who says that a record has ended: the process of the application, or something outside. */
  readonly endsBy: 'app' | 'server'
  /** What is kept cannot be read, and is never the same twice. */
  readonly isEncrypted?: boolean
  open(): Promise<OldRecords>
}

/** One place for records, which the stores of several processes may share. */
export interface OldRecords {
  readonly server?: RunningServer
  /** A store on these records, as a process of the application makes one. */
  store(session: SessionModule): object
  /** What is kept for this id, as text; nothing once the server has ended it. */
  textOf(id: string): Promise<string | undefined>
  /** With `endsBy: 'server'`: makes a record as old as if `ms` had passed. */
  age?(id: string, ms: number): Promise<void>
  close(): Promise<void>
}
