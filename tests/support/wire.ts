/**
 * What goes over a wire: how often its client had to wait, and for which commands.
 *
 * A phase of waiting begins with what a client sends after it has got an answer. What it sends before
 * that, pipelined or on several connections, belongs to the same phase: a request that takes three
 * phases takes three times as long on a slow network, however many packets there are.
 *
 *   const proxy = await faultProxy(server, { protocol: 'resp' })
 *   …
 *   const { phases, commands } = await proxy.wire.during(() => browser.get('/'))
 *   expect({ phases, commands }).toEqual({ phases: 1, commands: ['GET', 'PTTL'] })
 *
 * A first request also connects: count a later one. Work that nobody waits for, such as a touch, is
 * counted as everything else: count a request in which none is due.
 */
export class Wire {
  #phases = 0
  #hasAnswer = true
  #commands: string[] = []
  #watchers: ((name: string) => void)[] = []

  /** How many phases there have been. */
  get phases(): number {
    return this.#phases
  }

  /** What `phases` will be in the first, second, … phase from now on. */
  phasesFromNow(count: number): number {
    this.#hasAnswer = true
    return this.#phases + count
  }

  /** The names of the commands so far, in their order, in capitals; none where nobody knows them. */
  get commands(): readonly string[] {
    return this.#commands
  }

  /** What goes over the wire until `run` has come to its end. */
  async during(run: () => unknown): Promise<{ phases: number; commands: string[] }> {
    const [phases, commands] = [this.#phases, this.#commands.length]
    this.#hasAnswer = true
    await run()
    return { phases: this.#phases - phases, commands: this.#commands.slice(commands) }
  }

  /** When the next command of this name has been sent. */
  sent(name: string): Promise<void> {
    return new Promise((resolve) => {
      const watcher = (found: string) => {
        if (found !== name) return
        this.#watchers = this.#watchers.filter((one) => one !== watcher)
        resolve()
      }
      this.#watchers.push(watcher)
    })
  }

  /** For the proxy: a client has sent something. */
  asked(name: string | undefined): void {
    if (this.#hasAnswer) this.#phases++
    this.#hasAnswer = false
    if (name === undefined) return
    this.#commands.push(name)
    for (const watcher of [...this.#watchers]) watcher(name)
  }

  /** For the proxy: a client gets an answer now. */
  answered(): void {
    this.#hasAnswer = true
  }
}
