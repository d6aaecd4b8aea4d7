import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { TEST_CERTIFICATE } from '../support/tls.js'

/** The same listener on a plain socket and behind TLS that ends here; the ports of both. */
export async function bothServers(
  listener: RequestListener,
): Promise<{ http: number; https: number }> {
  const ports = await Promise.all(
    [createServer(listener), createTlsServer(TEST_CERTIFICATE, listener)].map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => {
        server.closeAllConnections()
        server.close()
      })
      return (server.address() as AddressInfo).port
    }),
  )
  return { http: ports[0]!, https: ports[1]! }
}
