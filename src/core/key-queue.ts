/** A place in the line of one key. */
export interface Place<Note> {
  /** Resolves when everybody before has left. */
  readonly turn: Promise<void>
  /** What the one before left for the next, if anybody was before. */
  note: Note | undefined
  /** Lets the next one go. May be called before the turn has come: then the place is given up. */
  leave(): void
}

interface Line<Note> {
  tail: Promise<void>
  note: Note | undefined
}

/**
 * Lets the commits of one session in one process go one after the other, so that only other
 * processes can be in the way.
 */
export class KeyQueue<Note> {
  readonly #lines = new Map<string, Line<Note>>()

  join(key: string): Place<Note> {
    const line = this.#lines.get(key) ?? { tail: Promise.resolve(), note: undefined }
    let leave = () => {}
    const left = new Promise<void>((resolve) => {
      leave = resolve
    })
    const turn = line.tail
    const tail = turn.then(() => left)
    line.tail = tail
    this.#lines.set(key, line)
    tail.then(() => {
      if (line.tail === tail) this.#lines.delete(key)
    })
    return {
      turn,
      get note() {
        return line.note
      },
      set note(note) {
        line.note = note
      },
      leave,
    }
  }
}
