import { afterAll, describe, expect, it } from 'vitest'
import { mutations } from './all.js'
import { WorkingCopies } from './working-copies.js'

const copies = new WorkingCopies(2)
afterAll(() => copies.remove())

describe('each test goes red without what it guards', () => {
  it.concurrent.each([...mutations])('$rule without $without', async (mutation) => {
    expect(await copies.outcome(mutation)).toBe('red')
  })
})
