import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { prose, read, root, rowsOf } from '../support/docs.js'
import { members } from '../support/docs-sources.js'
import { testLinks, titlesIn } from '../support/test-titles.js'

const page = read('docs/express-session.md')

/** Those of express-session 1.19, which its own manual tells. */
const OLD_OPTIONS = [
  'cookie',
  'genid',
  'key',
  'name',
  'proxy',
  'resave',
  'rolling',
  'saveUninitialized',
  'secret',
  'store',
  'unset',
]

describe('the page on moving from express-session', () => {
  const differences = prose(page)
    .split(/^## /m)
    .find((section) => section.startsWith('What is new without asking'))!
    .split('\n')
    .filter((line) => line.startsWith('| ') && line.endsWith(' |'))
    .slice(1)

  it.each(differences)('has a test for each difference: %s', (row) => {
    expect(testLinks(row)).not.toEqual([])
  })

  it.each(testLinks(page))('names a test that is run: $path "$name"', ({ path, name }) => {
    expect(existsSync(join(root, path)), path).toBe(true)
    expect(titlesIn(read(path)).filter((title) => title.includes(name))).not.toEqual([])
  })

  it('has a row for each option that express-session does not have', () => {
    const options = [...members('src/express-session/options.ts', 'SessionOptions').keys()]
    const listed = rowsOf(page).map(({ name }) => name)
    expect([...listed, ...OLD_OPTIONS].sort()).toEqual(options.sort())
  })
})
