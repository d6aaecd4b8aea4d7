import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { type ExportsMap, lonelyStores, wrongEntries } from './architecture/entries.js'
import { cycles, forbiddenImports } from './architecture/layers.js'
import { brokenRules } from './architecture/rules.js'
import { importsOf, type Sources } from './architecture/sources.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const paths = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
  .sort()
const sources: Sources = Object.fromEntries(
  paths.map((path) => [path, readFileSync(join(root, 'src', path), 'utf8')]),
)
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: ExportsMap
  dependencies: Record<string, string>
}
const inRoot = (path: string) => existsSync(join(root, path))

describe('the sources', () => {
  it('import only what their layer may', () => {
    expect(forbiddenImports(sources)).toEqual([])
  })

  it('are read with all their imports', () => {
    const statements = Object.values(sources)
      .join('\n')
      .match(/^(?:import|export|\}) .*from '[^']+'$/gm)
    const read = Object.entries(sources).flatMap(([path, text]) => importsOf(path, text))
    expect(read).toHaveLength(statements!.length)
  })

  it('have no cycle', () => {
    expect(cycles(sources)).toEqual([])
  })

  it('are named, typed and exported as agreed', () => {
    expect(brokenRules(sources)).toEqual([])
  })

  it('use every dependency, and none that is not listed', () => {
    const used = Object.entries(sources)
      .flatMap(([path, text]) => importsOf(path, text))
      .map(({ specifier }) => specifier)
      .filter((specifier) => !/^(?:\.|node:)/.test(specifier))
    expect([...new Set(used)].sort()).toEqual(Object.keys(manifest.dependencies).sort())
  })
})

describe('the entries', () => {
  beforeAll(() => {
    const prepare = join(root, 'scripts/prepare.mjs')
    execFileSync(process.execPath, [prepare, 'test'], { stdio: 'inherit' })
  }, 120_000)

  it('lead to the file of the same path', () => {
    expect(wrongEntries(manifest.exports, paths, inRoot)).toEqual([])
  })

  it('have a test and a page of docs for each store', () => {
    expect(lonelyStores(paths, inRoot)).toEqual([])
  })
})

describe('the check of imports', () => {
  const objections = (from: string, text: string) => forbiddenImports({ [from]: text })

  it.each([
    ['core/a.ts', "import { x } from '../http/hold.js'"],
    ['core/a.ts', "import type { x } from '../stores/memory.js'"],
    ['core/a.ts', "import { request } from 'node:http'"],
    ['core/a.ts', "import {\n  type A,\n  b,\n} from '../manager.js'"],
    ['crypto/a.ts', "import { x } from '../core/record.js'"],
    ['errors.ts', "import type { x } from './core/record.js'"],
    ['http/a.ts', "import { x } from '../core/clock.js'"],
    ['http/a.ts', "export { x } from '../core/clock.js'"],
    ['http/a.ts', "export * from '../core/clock.js'"],
    ['http/a.ts', "import '../core/clock.js'"],
    ['http/a.ts', "import { parse } from 'cookie'"],
    ['stores/a.ts', "import { x } from './memory.js'"],
    ['stores/a.ts', "import { can } from '../core/store.js'"],
    ['stores/a.ts', "import { createClient } from 'redis'"],
    ['stores/a.ts', "const redis = await import('redis')"],
    ['stores/internal/a.ts', "import { x } from '../memory.js'"],
    ['testing/a.ts', "import { x } from '../stores/memory.js'"],
    ['testing/a.ts', "import { it } from 'vitest'"],
    ['manager.ts', "import { FileStore } from './stores/file.js'"],
    ['manager.ts', "import { settingsFrom } from './options.js'"],
    ['elsewhere/a.ts', "import { x } from '../errors.js'"],
  ])('refuses in %s: %s', (from, text) => {
    expect(objections(from, text)).toHaveLength(1)
  })

  it.each([
    ['core/a.ts', "import { x } from './b.js'\nimport { y } from '../crypto/c.js'"],
    ['stores/a.ts', "import { type A, type B } from '../core/store.js'"],
    ['stores/a.ts', "import { x } from './internal/y.js'\nimport { z } from 'node:fs'"],
    ['index.ts', "export { MemoryStore } from './stores/memory.js'"],
    [
      'core/a.ts',
      "/**\n * import { x } from 'coatcheck'\n */\n// import 'redis'\nexport const a = 1",
    ],
    ['http/session-cookie.ts', "import { parseCookie } from 'cookie'"],
  ])('allows in %s: %s', (from, text) => {
    expect(objections(from, text)).toEqual([])
  })

  it('finds cycles, of types too, and names their files', () => {
    const files = {
      'core/a.ts': "import { b } from './b.js'",
      'core/b.ts': "import type { C } from './c.js'",
      'core/c.ts': "import { type A } from './a.js'",
      'core/d.ts': "import { a } from './a.js'",
    }
    expect(cycles(files)).toEqual(['core/a.ts → core/b.ts → core/c.ts → core/a.ts'])
    expect(cycles({ ...files, 'core/c.ts': '' })).toEqual([])
  })
})

describe('the check of files', () => {
  it.each([
    ['core/a.ts', 'export default 1', 'has a default export'],
    ['core/a.ts', 'const a = 1\nexport { a as default }', 'has a default export'],
    ['core/a.ts', 'export function f(a: any) {}', 'says any'],
    ['core/a.ts', 'export const a = b as any', 'says any'],
    ['core/a.ts', 'type A = Record<string, any>', 'says any'],
    ['core/a.ts', 'const quote = /[`]/\nlet a: any\nconst b = `x`', 'says any'],
    ['core/a.ts', '// @ts-ignore\nexport const a = 1', 'silences the compiler'],
    ['core/a.ts', `${'\n'.repeat(400)}export const a = 1`, 'has 401 lines'],
    ['core/text-utils.ts', '', 'has a name that says nothing'],
    ['helpers/a.ts', '', 'has a name that says nothing'],
    ['core/textCodec.ts', '', 'is not in kebab-case'],
    ['index.ts', "export { a } from './a.js'\nexport const b = 1", 'is more than re-exports'],
    ['core/a.ts', 'declare global { interface A {} }', 'declares globals'],
  ])('sees in %s: %s', (path, text, what) => {
    expect(brokenRules({ [path]: text })).toEqual([`${path} ${what}`])
  })

  it('reads code, and not comments or texts', () => {
    const text = "// any: any\nexport const a = 'x as any'\n/** export default */\nPromise.any([a])"
    expect(brokenRules({ 'core/a.ts': text })).toEqual([])
  })
})

describe('the check of entries', () => {
  const entry = (path: string) => {
    const both = (build: string) => ({
      types: `./dist/${build}/${path}.d.ts`,
      default: `./dist/${build}/${path}.js`,
    })
    return { 'module-sync': both('esm'), import: both('esm'), require: both('cjs') }
  }
  const right: ExportsMap = { '.': entry('index'), './stores/one': entry('stores/one') }
  const files = ['index.ts', 'stores/one.ts', 'stores/internal/x.ts', 'core/y.ts']

  it('is silent when both agree', () => {
    expect(wrongEntries(right, files, () => true)).toEqual([])
  })

  it('sees a file without an entry, and an entry without a file', () => {
    expect(wrongEntries(right, [...files, 'stores/two.ts'], () => true)).toEqual([
      'stores/two.ts is not in the exports',
    ])
    expect(wrongEntries({ ...right, './stores/two': entry('x') }, files, () => true)).toEqual([
      './stores/two has no file in src',
    ])
  })

  it('sees what the build lacks, and what leads elsewhere', () => {
    const path = './dist/cjs/stores/one.js'
    expect(wrongEntries(right, files, (one) => one !== path)).toEqual([
      `./stores/one leads to ${path}, which is not there`,
    ])
    const crossed = {
      ...right,
      './stores/one': { ...entry('stores/one'), require: entry('stores/one').import },
    }
    expect(wrongEntries(crossed, files, () => true)).toHaveLength(2)
  })

  it('sees a condition that is missing or out of order', () => {
    const { require, ...rest } = entry('index')
    expect(wrongEntries({ ...right, '.': rest }, files, () => true)).toHaveLength(1)
    expect(wrongEntries({ ...right, '.': { require, ...rest } }, files, () => true)).toHaveLength(1)
  })

  it('sees a store without its test or its page', () => {
    expect(lonelyStores(files, (path) => path !== 'docs/stores/one.md')).toEqual([
      'src/stores/one.ts has no docs/stores/one.md',
    ])
    expect(lonelyStores(files, () => false)).toHaveLength(2)
  })
})
