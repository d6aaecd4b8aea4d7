import { programOf, type ServerKind } from './server.js'
import { startProgram } from './server-process.js'

/** Its `url` is what its clients take: host and port. */
export const memcached: ServerKind = {
  name: 'memcached',
  missing: () => (programOf('memcached') === undefined ? ['memcached'] : []),
  start: () =>
    startProgram({
      name: 'memcached',
      // It refuses to be root.
      user: 'nobody',
      command: ({ port }) => [
        programOf('memcached')!,
        ...['-l', '127.0.0.1', '-p', String(port), '-U', '0'],
      ],
      url: (port) => `127.0.0.1:${port}`,
    }),
}
