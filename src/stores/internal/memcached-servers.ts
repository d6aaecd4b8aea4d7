import type { Commands, Servers } from './memcached-commands.js'
import { Ring, type RingServer } from './memcached-ring.js'
import { Server, type ServerSettings } from './memcached-server.js'

/** The servers of a store with connections of its own. */
export class OwnServers implements Servers {
  readonly shortens = false
  readonly #servers: readonly Server[]
  readonly #ring: Ring

  constructor(servers: readonly (RingServer & ServerSettings)[]) {
    this.#servers = servers.map((settings) => new Server(settings))
    this.#ring = new Ring(servers)
  }

  of(ring: string): Promise<Commands> {
    const { length } = this.#servers
    return this.#servers[length === 1 ? 0 : this.#ring.serverOf(ring)]!.commands()
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close()
  }
}
