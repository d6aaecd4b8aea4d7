import assert from 'node:assert/strict'
import type { Store } from '../../core/store.js'

/**
 * What a process of its own does in a test of the suite. Plain data, so it can be sent there.
 *
 * - `merge`: adds each of `names` to the JSON object under `key`, all in parallel, each by loading,
 *   merging and replacing until that succeeds.
 * - `create`: creates each of `keys` with `text`, and tells which of them it got.
 */
export type StoreProgram =
  | { readonly type: 'merge'; readonly key: string; readonly names: readonly string[] }
  | {
      readonly type: 'create'
      readonly keys: readonly string[]
      readonly text: string
      readonly expiresAt: number
    }

/**
 * Runs a program of the suite on `store`. The script behind `StoreUnderTest.processes` calls this
 * and sends what it resolves with back as JSON.
 */
export async function runProgram(store: Store, program: StoreProgram): Promise<unknown> {
  if (program.type === 'merge') {
    await Promise.all(program.names.map((name) => addName(store, program.key, name)))
    return program.names.length
  }
  const { keys, text, expiresAt } = program
  return Promise.all(keys.map((key) => store.create(key, { text, expiresAt })))
}

/** Adds a member to the JSON object under `key` without losing what others add meanwhile. */
export async function addName(store: Store, key: string, name: string): Promise<void> {
  // Each failed try means that another writer won, so n writers need at most n tries each; the
  // bound only ends a store that answers 'changed' for ever.
  for (let tries = 0; tries < 2000; tries++) {
    const seen = await store.load(key)
    assert(seen !== undefined, 'the record vanished while it was merged into')
    const data: unknown = JSON.parse(seen.text)
    const text = JSON.stringify({ ...(data as object), [name]: true })
    const result = await store.replace(key, { text, expiresAt: seen.expiresAt }, seen)
    if (result === 'replaced') return
    assert.equal(result, 'changed', 'a merge found the record gone')
  }
  assert.fail('replace gave "changed" 2000 times in a row')
}
