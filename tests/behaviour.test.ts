import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mutations } from './mutations/all.js'
import { read, root } from './support/docs.js'
import { type TestLink, testLinks, titlesIn } from './support/test-titles.js'

const PAGE = 'docs/behaviour.md'

interface Promised {
  readonly rule: string
  readonly text: string
  readonly tests: readonly TestLink[]
}

/** The bullets of the page, each under the rule whose heading stands above it. */
function promises(): Promised[] {
  const found: Promised[] = []
  for (const section of read(PAGE).split(/^### /m).slice(1)) {
    const rule = /^B\d+/.exec(section)?.[0] ?? `no number: ${section.slice(0, 40)}`
    const bullets = section.split(/\n## /)[0]!.split(/^- /m).slice(1)
    for (const bullet of bullets) {
      const text = bullet.replaceAll(/\s+/g, ' ').trim()
      found.push({ rule, text, tests: testLinks(text) })
    }
  }
  return found
}

const all = promises()

describe('the promises of docs/behaviour.md', () => {
  it.each(all)('$rule: $text', ({ tests }) => {
    expect(tests.length).toBeGreaterThan(0)
    for (const { path, name } of tests) {
      expect(existsSync(join(root, path)), path).toBe(true)
      const titles = titlesIn(read(path)).filter((title) => title.includes(name))
      expect(titles, `${path} has no test "${name}" that is run`).not.toEqual([])
    }
  })

  it.each([...new Set(all.map(({ rule }) => rule))])(
    '%s was tried without what keeps it',
    (rule) => {
      expect(mutations.filter((mutation) => mutation.rule === rule)).not.toHaveLength(0)
    },
  )

  it.each([
    ["it('keeps it', async () => {", true],
    ["describe('it keeps it, too', () => {", true],
    ['test(\n  "keeps it",', true],
    ["it.concurrent('keeps it', () => {})", true],
    ["it.each(rows)('keeps it when %s', (row) => {})", true],
    ["// it keeps it\nconst text = 'keeps it'", false],
    ["it('does more', () => expect(text).toBe('keeps it'))", false],
    ["it.skip('keeps it', () => {})", false],
    ["it.todo('keeps it')", false],
    ["describe.skip.each(rows)('keeps it', () => {})", false],
  ])('are kept by a test of that title: %s', (source, isTest) => {
    expect(titlesIn(source).some((title) => title.includes('keeps it'))).toBe(isTest)
  })

  it('are those of every rule that is built', () => {
    const from = (first: number, last: number) =>
      Array.from({ length: last - first + 1 }, (_, i) => first + i)
    const built = from(1, 57)
    expect([...new Set(all.map(({ rule }) => rule))]).toEqual(built.map((number) => `B${number}`))
  })
})
