// A suite under node:test, in a process that nothing else holds: a store that answers by promises,
// and not at all while its backend is silent. The argument is the URL of the built sources.
import { describe, it } from 'node:test'

const [base] = process.argv.slice(2)
const { MemoryStore } = await import(new URL('stores/memory.js', base))
const { FakeClock, testStore } = await import(new URL('testing/index.js', base))

const clauses = Array.from({ length: 24 }, (_, i) => `S${i + 1}`).filter((name) => name !== 'S10')
const hooks = ['another', 'elsewhere', 'plant', 'trips', 'processes', 'outage', 'exits']
const lacking = [...hooks, 'sweep', 'entries', 'keysOfUser', 'skewed', 'predecessor']
const because = (names) => Object.fromEntries(names.map((name) => [name, 'not of interest here']))

testStore({ describe, it }, 'a silent store', {
  open() {
    const clock = new FakeClock()
    const inner = new MemoryStore({ clock })
    let silence
    let speak = () => {}
    const late =
      (name) =>
      async (...args) => {
        await silence
        return inner[name](...args)
      }
    const names = ['load', 'create', 'replace', 'touch', 'destroy']
    return {
      store: Object.fromEntries(names.map((name) => [name, late(name)])),
      clock,
      advance: (ms) => clock.advance(ms),
      blackHole: {
        begin() {
          silence = new Promise((resolve) => {
            speak = resolve
          })
        },
        end() {
          speak()
          silence = undefined
        },
      },
    }
  },
  patience: 10,
  lacks: because(lacking),
  skips: because(clauses),
})
