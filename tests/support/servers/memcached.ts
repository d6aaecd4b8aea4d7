import { programOf, type RunningServer, type ServerKind } from './server.js'
import { type RunAsUser, type ServerPlace, startProgram } from './server-process.js'

export interface MemcachedOptions {
  /** More of its command line. */
  readonly args?: (at: ServerPlace) => readonly string[]
  /** Makes files that it reads. */
  readonly prepare?: (folder: string, run: RunAsUser) => void
}

/** Its `url` is what its clients take: host and port. */
export const memcached: Omit<ServerKind, 'start'> & {
  start(options?: MemcachedOptions): Promise<RunningServer>
} = {
  name: 'memcached',
  missing: () => (programOf('memcached') === undefined ? ['memcached'] : []),
  start: ({ args = () => [], prepare }: MemcachedOptions = {}) =>
    startProgram({
      name: 'memcached',
      // It refuses to be root.
      user: 'nobody',
      ...(prepare && { prepare }),
      command: (at) => [
        programOf('memcached')!,
        ...['-l', '127.0.0.1', '-p', String(at.port), '-U', '0'],
        ...args(at),
      ],
      url: (port) => `127.0.0.1:${port}`,
    }),
}
