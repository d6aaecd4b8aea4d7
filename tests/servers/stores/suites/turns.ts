import { describe, it } from 'vitest'
import { oldStoreTurns } from '../../../express-session/old-stores/turns.js'
import type { StoreKind } from '../kind.js'

/** The package that is replaced under express-session, and ours under the drop-in, on one server. */
export function storeTurns(kind: StoreKind): void {
  const { old, name } = kind
  if (old === undefined) {
    describe(`${name}, used in turns`, () => {
      it.skip('with the package that it replaces: no such package is named', () => {})
    })
    return
  }
  oldStoreTurns(old, {
    name,
    async open({ server }) {
      if (server === undefined) throw new Error(`${old.name} does not tell of its server.`)
      return kind.connect(server, {})
    },
  })
}
