import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { programOf, type ServerKind } from './server.js'
import { startProgram } from './server-process.js'

/** With the empty database `coatcheck`; the user is root, without a password. */
export const mariadb: ServerKind = {
  name: 'mariadb',
  missing: () =>
    programOf('mariadbd') && programOf('mariadb-install-db') ? [] : ['mariadb-server'],
  start: () =>
    startProgram({
      name: 'maria',
      user: 'mysql',
      prepare(folder, run) {
        run(programOf('mariadb-install-db')!, [
          '--no-defaults',
          `--datadir=${join(folder, 'data')}`,
          '--auth-root-authentication-method=normal',
          '--skip-test-db',
        ])
        writeFileSync(join(folder, 'init.sql'), 'CREATE DATABASE IF NOT EXISTS coatcheck;\n')
      },
      command: ({ port, folder }) => [
        programOf('mariadbd')!,
        '--no-defaults',
        `--datadir=${join(folder, 'data')}`,
        `--init-file=${join(folder, 'init.sql')}`,
        `--port=${port}`,
        '--bind-address=127.0.0.1',
        `--socket=${join(folder, 's.sock')}`,
        // It lives for one test file; the default would reserve 128 MB for each.
        '--innodb-buffer-pool-size=16M',
        '--innodb-flush-log-at-trx-commit=2',
      ],
      url: (port) => `mysql://root@127.0.0.1:${port}/coatcheck`,
      ready: /ready for connections/,
    }),
}
