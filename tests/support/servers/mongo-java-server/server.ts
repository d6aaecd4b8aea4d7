import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { programOf, type ServerKind } from '../server.js'
import { startProgram } from '../server-process.js'

const HERE = import.meta.dirname

/**
 * An independent implementation of MongoDB's protocol, for machines without MongoDB. It keeps
 * nothing on disk, and its documents never expire.
 */
export const mongoJavaServer: ServerKind = {
  name: 'mongo-java-server',
  missing: () => [
    // A source file is run, which takes the compiler too.
    ...(programOf('javac') ? [] : ['openjdk-17-jdk-headless']),
    ...(programOf('mvn') ? [] : ['maven']),
  ],
  async start() {
    const jars = await downloaded()
    return startProgram({
      name: 'mongo',
      command: ({ port }) => [
        programOf('java')!,
        // A short life: what makes a start quick, and no heap by the size of the machine.
        ...['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx192m'],
        ...['-cp', join(jars, '*'), join(HERE, 'Server.java'), String(port)],
      ],
      url: (port) => `mongodb://127.0.0.1:${port}/coatcheck`,
      ready: /^ready$/m,
    })
  },
}

/** The folder of its jars, which are downloaded once for this user of the machine. */
async function downloaded(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'coatcheck-tests')
  const jars = join(cache, 'mongo-java-server-1.47.0')
  if (existsSync(jars)) return jars
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'download-'))
  try {
    // Maven writes a folder `target` beside the file that it is given.
    cpSync(join(HERE, 'pom.xml'), join(folder, 'pom.xml'))
    const lib = join(folder, 'lib')
    await promisify(execFile)(programOf('mvn')!, [
      ...['-q', '-B', '-f', join(folder, 'pom.xml')],
      ...['dependency:copy-dependencies', `-DoutputDirectory=${lib}`],
    ])
    try {
      renameSync(lib, jars)
    } catch (error) {
      // Another test file may have been quicker.
      if (!existsSync(jars)) throw error
    }
    return jars
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
}
