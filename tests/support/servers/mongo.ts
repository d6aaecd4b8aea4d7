import { randomBytes } from 'node:crypto'
import { mongoJavaServer } from './mongo-java-server/server.js'
import { programOf, type RunningServer, type ServerKind } from './server.js'
import { startProgram } from './server-process.js'

/**
 * MongoDB: the one of `MONGODB_URL`, else a `mongod` of this machine, else an independent
 * implementation of its protocol. A database of its own is in the URL.
 */
export const mongo: ServerKind = {
  name: 'mongodb',
  missing: () => (hasOther() ? [] : mongoJavaServer.missing()),
  async start() {
    const given = process.env.MONGODB_URL
    if (given) return external(given)
    return programOf('mongod') ? startMongod() : mongoJavaServer.start()
  },
}

/** Whether documents are removed at their end, which the stand-in never does. */
export const isRealMongo = (): boolean => hasOther()

function hasOther(): boolean {
  return Boolean(process.env.MONGODB_URL) || programOf('mongod') !== undefined
}

function startMongod(): Promise<RunningServer> {
  return startProgram({
    name: 'mongo',
    command: ({ port, folder }) => [
      programOf('mongod')!,
      ...['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1'],
      ...['--unixSocketPrefix', folder],
    ],
    url: (port) => `mongodb://127.0.0.1:${port}/coatcheck`,
    ready: /Waiting for connections/,
  })
}

/** Somebody else's: it stays as it is, but for a database whose name nobody else has. */
function external(given: string): RunningServer {
  const url = new URL(given)
  url.pathname = `/coatcheck-${randomBytes(6).toString('hex')}`
  const refuse = () => Promise.reject(new Error('The server of MONGODB_URL is not ours to end.'))
  return {
    host: '127.0.0.1',
    port: Number(url.port || 27017),
    url: url.href,
    folder: undefined,
    isOurs: false,
    kill: refuse,
    start: refuse,
    stop: () => Promise.resolve(),
  }
}
