/**
 * Runs before every test file of the fast project: whatever the managers of its tests tell, by an
 * event or a warning, is searched for the secret of the tests, for every id that was made and for
 * the data that was stored. One find fails the test.
 */
import { afterEach, beforeAll } from 'vitest'
import { Leaks } from './leaks.js'
import { SECRET } from './secret.js'

const leaks = new Leaks([SECRET])
const found: string[] = []

/** So many events of a file are all looked at; of the others every hundredth. */
const MANY = 3000
let events = 0

// Not at the top: a test may put something in the place of a module before any is loaded.
beforeAll(async () => {
  const { Emitter } = await import('../../src/core/events.js')
  const { Records } = await import('../../src/core/records.js')
  const { StoreKeeper } = await import('../../src/core/store-keeper.js')

  before(StoreKeeper.prototype, 'newIdentity', (make) => {
    const identity = make()
    leaks.addId(identity.id)
    return identity
  })

  before(Records.prototype, 'entry', (make, draft) => {
    for (const [, text] of draft.entries) {
      const value: unknown = JSON.parse(text)
      // Whose session it is may be told.
      if (value !== draft.facts.user) leaks.addData(value)
    }
    return make(draft)
  })

  before(Emitter.prototype, 'emit', (emit, name, event) => {
    events++
    if (events < MANY || events % 100 === 0) {
      const { user: _, ...told } = event
      for (const leak of leaks.inside(told)) found.push(`${leak} in the event ${name}`)
    }
    return emit(name, event)
  })
})

before(process, 'emitWarning', (emit, ...args) => {
  for (const leak of leaks.inside(args)) found.push(`${leak} in a warning`)
  return emit(...args)
})

afterEach(() => {
  const all = [...new Set(found.splice(0))]
  if (all.length > 0) throw new Error(`There is ${all.join(', ')}.`)
})

type Method = (...args: never[]) => unknown

/** Puts a function in front of a method; it gets the method and what it was called with. */
function before<Name extends string, Of extends { [Key in Name]: Method }>(
  owner: Of,
  name: Name,
  front: (method: Of[Name], ...args: Parameters<Of[Name]>) => ReturnType<Of[Name]>,
): void {
  const method = owner[name]
  const replaced = function (this: unknown, ...args: Parameters<Of[Name]>) {
    return front(method.bind(this as never) as Of[Name], ...args)
  }
  Object.defineProperty(owner, name, { value: replaced, writable: true, configurable: true })
}
