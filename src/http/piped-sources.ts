import type { Listen, PipeSource, ServerResponseLike } from './response-like.js'

/** Who is piping into a response. Only the event tells, so it is listened to from the start. */
export class PipedSources {
  #known: PipeSource[] | undefined

  /** @param on the `on` of `res`; absent on objects that are no emitters */
  constructor(res: ServerResponseLike, on: Listen | undefined) {
    on?.call(res, 'pipe', (source) => {
      if (this.#known === undefined) {
        on.call(res, 'unpipe', (gone) => {
          this.#known = this.#known?.filter((known) => known !== gone)
        })
      }
      this.#known = [...(this.#known ?? []), source as PipeSource]
    })
  }

  get all(): readonly PipeSource[] {
    return this.#known ?? []
  }
}
