import { programOf, type ServerKind } from './server.js'
import { startProgram } from './server-process.js'

/** Keeps nothing on disk: after a crash it starts empty. */
export const redis: ServerKind = {
  name: 'redis',
  missing: () => (programOf('redis-server') === undefined ? ['redis-server'] : []),
  start: () =>
    startProgram({
      name: 'redis',
      command: ({ port, folder }) => [
        programOf('redis-server')!,
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
        ...['--save', '', '--appendonly', 'no'],
      ],
      url: (port) => `redis://127.0.0.1:${port}`,
      ready: /Ready to accept connections/,
    }),
}
