import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mutations } from './mutations/all.js'
import { read, root } from './support/docs.js'

const PAGE = 'docs/behaviour.md'

interface Promised {
  readonly rule: string
  readonly text: string
  readonly tests: readonly { readonly path: string; readonly name: string }[]
}

/** The bullets of the page, each under the rule whose heading stands above it. */
function promises(): Promised[] {
  const found: Promised[] = []
  for (const section of read(PAGE).split(/^### /m).slice(1)) {
    const rule = /^B\d+/.exec(section)?.[0] ?? `no number: ${section.slice(0, 40)}`
    const bullets = section.split(/\n## /)[0]!.split(/^- /m).slice(1)
    for (const bullet of bullets) {
      const text = bullet.replaceAll(/\s+/g, ' ').trim()
      const tests = [...text.matchAll(/\[[^\]]+\]\((\S+) "([^"]+)"\)/g)].map((link) => ({
        path: join(dirname(PAGE), link[1]!),
        name: link[2]!,
      }))
      found.push({ rule, text, tests })
    }
  }
  return found
}

const all = promises()

const TITLE = String.raw`\(\s*(?<quote>['"\x60])(?<title>(?:\\.|(?!\k<quote>)[^\\])*)\k<quote>`

/** The titles of the tests and groups in a file, but of none that is skipped. */
function titlesIn(source: string): string[] {
  const calls = new RegExp(String.raw`\b(?:it|test|describe)(?<how>(?:\.\w+)*)${TITLE}`, 'g')
  const tables = new RegExp(String.raw`\)${TITLE},\s`, 'g')
  const run = [...source.matchAll(calls)].filter(({ groups }) => !isLeftOut(groups!.how!))
  const each = isLeftOut(source) ? [] : [...source.matchAll(tables)]
  const titles = [...run, ...each].map(({ groups }) => groups!.title!)
  return titles.map((title) => title.replaceAll('\\', '').replaceAll(/\s+/g, ' '))
}

/** By the words after `it`, or anywhere in a file whose tables may be meant. */
function isLeftOut(how: string): boolean {
  return /^(\.\w+)*\.(skip|todo)\b|\.(skip|todo)\.each\b/.test(how)
}

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
    // Left out: 21, 35 to 38, 40 to 45, 52, 54: tokens outside cookies, state in the client, the
    // stores with servers, and the drop-ins.
    const built = [...from(1, 20), ...from(22, 34), 39, ...from(46, 51), 53, ...from(55, 57)]
    expect([...new Set(all.map(({ rule }) => rule))]).toEqual(built.map((number) => `B${number}`))
  })
})
