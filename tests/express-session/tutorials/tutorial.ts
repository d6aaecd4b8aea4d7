import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { compileFunction } from 'node:vm'
import type { Express } from 'express'
import type mongoose from 'mongoose'
import { onTestFinished } from 'vitest'
import { CookieClient } from '../../../src/testing/index.js'
import type { Implementation } from '../implementations.js'

const requireHere = createRequire(import.meta.url)
let runs = 0

export interface Tutorial {
  readonly origin: string
  /** A new browser. */
  browser(): CookieClient
  /** What the program used that is not recommended any more, as `depd` tells. */
  readonly deprecations: readonly string[]
  /** The warnings of the process since the start. */
  readonly warnings: readonly string[]
}

/**
 * Runs a program of ./programs as it stands there, in a CommonJS module with its own `require`.
 * What `require('express-session')` gives is the implementation, and where the program listens on
 * a port, it gets a free one.
 */
export async function start(program: string, implementation: Implementation): Promise<Tutorial> {
  const { deprecations, warnings } = listen()
  const filename = new URL(`programs/${program}.cjs`, import.meta.url).pathname
  const servers: Server[] = []

  const requireThere = (name: string): unknown => {
    if (name === 'express-session') return implementation.session
    if (name === 'express') return onFreePort(requireHere(name), servers)
    // A process of its own has no models yet.
    if (name === 'mongoose') return new (requireHere(name) as typeof mongoose).Mongoose()
    return requireHere(name)
  }
  // depd tells each place once; another name makes it another place.
  const run = compileFunction(
    readFileSync(filename, 'utf8'),
    ['require', 'module', 'exports', '__filename'],
    { filename: filename.replace(/\.cjs$/, `-${++runs}.cjs`) },
  )
  const module = { exports: {} }
  run.call(module.exports, requireThere, module, module.exports, filename)

  const server = servers[0]
  if (server === undefined) throw new Error(`${program} listens nowhere`)
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origin, browser: () => new CookieClient(origin), deprecations, warnings }
}

/** Express, but for `listen`. */
function onFreePort(express: () => Express, servers: Server[]): unknown {
  const make = () => {
    const app = express()
    app.listen = ((_port: unknown, done?: () => void) => {
      const server = createServer(app).listen(0, '127.0.0.1', done)
      servers.push(server)
      onTestFinished(() => {
        server.closeAllConnections()
        server.close()
      })
      return server
    }) as Express['listen']
    return app
  }
  return Object.assign(make, express)
}

function listen(): { deprecations: string[]; warnings: string[] } {
  const deprecations: string[] = []
  const warnings: string[] = []
  const onDeprecation = ({ namespace, message }: Error & { namespace?: string }) =>
    void deprecations.push(`${namespace} ${message}`)
  const onWarning = ({ name, message }: Error) => {
    // Those of Node about old packages are no business of ours.
    if (name !== 'DeprecationWarning') warnings.push(message)
  }
  // The event of depd, which then does not write to stderr.
  process.on('deprecation' as 'warning', onDeprecation)
  process.on('warning', onWarning)
  onTestFinished(() => {
    process.off('deprecation' as 'warning', onDeprecation)
    process.off('warning', onWarning)
  })
  return { deprecations, warnings }
}
