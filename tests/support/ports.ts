import { type AddressInfo, createServer } from 'node:net'

/**
 * Below the ports from which Linux makes outgoing connections (32768 to 60999): a port that is given
 * up for a moment, by a server that crashes or a proxy that refuses, is still free afterwards. Above
 * it by 10,000 is the bus of a Redis cluster.
 */
const [LOWEST, HIGHEST] = [12_000, 22_000]

/** A free port of 127.0.0.1 whose neighbour by `also` is free too. */
export async function freePort({ also = 0 } = {}): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    if ((await isFree(port)) && (also === 0 || (await isFree(port + also)))) return port
  }
  return listenedAt(0)
}

function isFree(port: number): Promise<boolean> {
  return listenedAt(port).then(
    () => true,
    () => false,
  )
}

async function listenedAt(wanted: number): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(wanted, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
