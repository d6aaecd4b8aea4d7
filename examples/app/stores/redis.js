// STORE=redis://localhost: the sessions on a Redis or Valkey server, where every process finds them.
import { RedisStore } from 'coatcheck/stores/redis'

export const driver = 'redis'
export const advice = 'Is it running? STORE=redis://user:password@host:port names another server.'

/** A store on the server at `url`, and what closes its client. */
export async function open(url) {
  const { createClient } = await import('redis')
  let isOpen = false
  const client = createClient({
    url,
    // Requests fail at once while the server is away, instead of waiting for it in a queue.
    disableOfflineQueue: true,
    socket: {
      connectTimeout: 3000,
      // At the start once, and later for as long as it takes.
      reconnectStrategy: (retries, cause) => (isOpen ? Math.min(50 * 2 ** retries, 2000) : cause),
    },
  })
  // Without a listener the loss of the connection would end the process.
  client.on('error', (error) => {
    if (isOpen) console.error(`Redis: ${error.code ?? error.message}`)
  })
  // What node-redis throws here is about its strategy; why it gave up is in it.
  await client.connect().catch((error) => Promise.reject(error.originalError ?? error))
  isOpen = true
  return { store: new RedisStore({ client }), close: () => client.close() }
}
