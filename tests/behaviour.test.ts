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

describe('the promises of docs/behaviour.md', () => {
  it.each(all)('$rule: $text', ({ tests }) => {
    expect(tests.length).toBeGreaterThan(0)
    for (const { path, name } of tests) {
      expect(existsSync(join(root, path)), path).toBe(true)
      expect(read(path).replaceAll(/\s+/g, ' '), `${path} has no test "${name}"`).toContain(name)
    }
  })

  it.each([...new Set(all.map(({ rule }) => rule))])(
    '%s was tried without what keeps it',
    (rule) => {
      expect(mutations.filter((mutation) => mutation.rule === rule)).not.toHaveLength(0)
    },
  )

  it('are those of every rule that is built', () => {
    const from = (first: number, last: number) =>
      Array.from({ length: last - first + 1 }, (_, i) => first + i)
    // Left out: 21, 35 to 38, 40 to 45, 52, 54: tokens outside cookies, state in the client, the
    // stores with servers, and the drop-ins.
    const built = [...from(1, 20), ...from(22, 34), 39, ...from(46, 51), 53, ...from(55, 57)]
    expect([...new Set(all.map(({ rule }) => rule))]).toEqual(built.map((number) => `B${number}`))
  })
})
