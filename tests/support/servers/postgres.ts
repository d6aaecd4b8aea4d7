import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { programOf, type ServerKind } from './server.js'
import { startProgram } from './server-process.js'

/** With its empty database `postgres`; the user is postgres, without a password. */
export const postgres: ServerKind = {
  name: 'postgres',
  missing: () => (installed('postgres') && installed('initdb') ? [] : ['postgresql']),
  start: () =>
    startProgram({
      name: 'pg',
      // It refuses to be root.
      user: 'postgres',
      prepare: (folder, run) =>
        run(installed('initdb')!, [
          ...['-D', join(folder, 'data'), '-U', 'postgres'],
          ...['-A', 'trust', '-E', 'UTF8', '--no-sync'],
        ]),
      command: ({ port, folder }) => [
        installed('postgres')!,
        ...['-D', join(folder, 'data'), '-p', String(port), '-k', folder],
        ...['-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'],
      ],
      url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
      ready: /database system is ready to accept connections/,
      // "Immediate shutdown": no checkpoint, recovery at the next start. A killed postmaster would
      // leave its children to end when they notice, and the next start would refuse until then.
      crash: 'SIGQUIT',
    }),
}

/** Debian keeps these in a folder for each version, off the PATH. */
function installed(name: string): string | undefined {
  return programOf(name, versions('/usr/lib/postgresql'))
}

function versions(folder: string): string[] {
  try {
    const names = readdirSync(folder).sort((one, other) => Number(other) - Number(one))
    return names.map((version) => join(folder, version, 'bin'))
  } catch {
    return []
  }
}
