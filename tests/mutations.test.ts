import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mutations } from './mutations/all.js'
import { read, root } from './support/docs.js'

// Whether the tests go red is told by `npm run test:mutations`; this keeps the list true to the sources.
describe('the protections that the tests are tried without', () => {
  it.each([...mutations])('$rule: $without', ({ file, find, put, test }) => {
    expect(read(file).split(find)).toHaveLength(2)
    expect(put).not.toBe(find)
    expect(existsSync(join(root, test))).toBe(true)
  })

  it('are named once each', () => {
    const names = mutations.map(({ rule, without }) => `${rule} ${without}`)
    expect(new Set(names).size).toBe(names.length)
  })
})
