import fc from 'fast-check'
import {
  applied,
  type Base,
  changesSince,
  conflictsWith,
  parseEntries,
  plainAfter,
} from '../../src/core/changes.js'
import type { Clock } from '../../src/core/clock.js'
import { MemoryStore, session } from '../../src/index.js'
import {
  canonical,
  define,
  type Json,
  type JsonObject,
  json,
  jsonObject,
  key,
} from './json-values.js'
import { nothingPolluted, same, type Target, target, waitingTarget } from './target.js'

/** What a handler does to its session. */
type Step =
  | { readonly do: 'set' | 'deep'; readonly key: string; readonly value: Json }
  | { readonly do: 'delete' | 'undefine' | 'rebuild'; readonly key: string }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('set', 'set', 'deep'), key, value: json }),
  fc.record({ do: fc.constantFrom('delete', 'undefine', 'rebuild'), key }),
)
const steps = fc.array(step, { maxLength: 4 })

/** Done with objects whose prototype has no `__proto__`, as a session's is: an assignment is data. */
function play(data: Record<string, unknown>, done: readonly Step[]): void {
  for (const one of done) {
    const before = Object.hasOwn(data, one.key) ? data[one.key] : undefined
    switch (one.do) {
      case 'set':
        define(data, one.key, structuredClone(one.value))
        break
      case 'delete':
        delete data[one.key]
        break
      case 'undefine':
        define(data, one.key, undefined)
        break
      case 'deep':
        if (typeof before === 'object' && before !== null) {
          if (Array.isArray(before)) before.push(structuredClone(one.value))
          else define(before, 'deep', structuredClone(one.value))
        }
        break
      case 'rebuild':
        // The same in another order is no change.
        if (typeof before === 'object' && before !== null && !Array.isArray(before)) {
          const turned = {}
          for (const [name, value] of Object.entries(before).reverse()) define(turned, name, value)
          define(data, one.key, turned)
        }
        break
    }
  }
}

/**
 * The merge as the documentation tells it, key by key: changed on one side only, that side; on
 * both, deletion included, mine; equal results are no conflict.
 */
function modelMerge(
  base: JsonObject,
  theirs: Record<string, unknown>,
  mine: Record<string, unknown>,
) {
  const at = (data: Record<string, unknown>, name: string) =>
    Object.hasOwn(data, name) && data[name] !== undefined ? canonical(data[name]) : 'absent'
  const result: Record<string, string> = Object.create(null)
  const conflicts: string[] = []
  const names = new Set([base, theirs, mine].flatMap((data) => Object.keys(data)))
  for (const name of names) {
    const [was, other, own] = [at(base, name), at(theirs, name), at(mine, name)]
    const winner = own === was ? other : own
    if (own !== was && other !== was && own !== other) conflicts.push(name)
    if (winner !== 'absent') result[name] = winner
  }
  return { result: shown(result), conflicts: conflicts.sort() }
}

/** Members by name, each as one text. */
function shown(members: Record<string, string>): string {
  return Object.keys(members)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${members[name]}`)
    .join()
}

function shownData(data: Record<string, unknown>): string {
  const members: Record<string, string> = Object.create(null)
  for (const name of Object.keys(data)) members[name] = canonical(data[name])
  return shown(members)
}

const copy = <T>(data: T): T => JSON.parse(JSON.stringify(data)) as T
const scenes = fc
  .record({
    base: jsonObject,
    // What both do, to the same end.
    both: fc.array(step, { maxLength: 2 }),
    mine: steps,
    theirs: steps,
  })
  .map(({ base, both, mine, theirs }) => ({
    base,
    mine: [...both, ...mine],
    theirs: [...both, ...theirs],
  }))

/** The three functions of the merge, on data alone. */
export const merge: Target = target('merge', 10, scenes, (scene) => {
  const stored = copy(scene.base)
  const handlers = copy(scene.base)
  const base: Base = { loaded: handlers, untouched: stored }
  // A session's data: its own properties, in objects that it shares with the base.
  const current: Record<string, unknown> = Object.create(null)
  for (const [name, value] of Object.entries(handlers)) define(current, name, value)
  play(current, scene.mine)
  const theirs: Record<string, unknown> = copy(scene.base)
  play(theirs, scene.theirs)
  const newest = copy(theirs)

  const mine = changesSince(base, current, new Set())
  const expected = modelMerge(scene.base, newest, current)
  const what = JSON.stringify([scene.base, newest, [...mine.set], [...mine.deleted]])
  const merged = parseEntries(applied(newest, mine))
  same(what, shownData(merged), expected.result)
  same(what, shownData(copy(plainAfter(newest, mine))), expected.result)
  const conflicts = conflictsWith(base, newest, mine).sort()
  same(what, JSON.stringify(conflicts), JSON.stringify(expected.conflicts))
  nothingPolluted()
})

const clock: Clock = {
  now: () => 1_700_000_000_000,
  setTimeout: () => undefined,
  clearTimeout() {},
}
const store = new MemoryStore({ clock })
const sessions = session<Record<string, unknown>>({
  secret: 'a secret of the fuzzing of merges, long enough',
  store,
  clock,
  // Names of users would ask for a new id, which takes a response.
  user: () => undefined,
})
let conflicts: readonly string[] = []
sessions.on('conflict', ({ keys }) => {
  conflicts = keys
})

/** Two requests with one session, from the token to the record and back. */
export const mergedRequests: Target = waitingTarget('merged requests', 2, scenes, async (scene) => {
  const filled = { ...scene.base, kept: 1 }
  const cookie = `sid=${await sessions.issue(filled)}`
  const open = async () => {
    const found = await sessions.read({ headers: { cookie } })
    if (found === null) throw new Error('the session is not there')
    return found
  }
  const [mine, theirs] = [await open(), await open()]
  play(mine, scene.mine)
  play(theirs, scene.theirs)
  const own = copy({ ...mine })
  const other = copy({ ...theirs })
  conflicts = []
  await theirs.save()
  await mine.save()
  const expected = modelMerge(filled, other, own)
  const what = JSON.stringify([filled, other, own])
  const last = await open()
  same(what, shownData(last), expected.result)
  // Without changes there was nothing to store, and so nothing to learn.
  const isClean = shownData(own) === shownData(copy(filled))
  same(what, shownData(copy({ ...mine })), isClean ? shownData(own) : expected.result)
  same(what, JSON.stringify([...conflicts].sort()), JSON.stringify(expected.conflicts))
  await last.destroy()
  nothingPolluted()
})
