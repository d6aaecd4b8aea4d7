import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ERROR_STATUS, WARNING_CODES } from '../src/errors.js'
import {
  anchors,
  codeBlocks,
  type Module,
  modulesOf,
  pages,
  prose,
  read,
  root,
  rowsOf,
} from './support/docs.js'
import { members, stringSet, union } from './support/docs-sources.js'

describe('the code in the pages', () => {
  const modules = pages()
    .filter((page) => page === 'README.md' || page.startsWith('docs/'))
    .flatMap(modulesOf)
  // What a face declares for `req.session` holds for a whole program.
  const faces = ['docs-express-session/', 'docs-cookie-session/']
  const of = (face?: string) =>
    modules.filter(({ file }) => faces.find((folder) => file.startsWith(folder)) === face)

  it.each([
    ['session()', of(), 'README/1.ts'],
    ['the drop-in', of(faces[0]), 'docs-express-session/1.ts'],
    ['the drop-in for cookie-session', of(faces[1]), 'docs-cookie-session/1.ts'],
  ])(
    'compiles under strict against the sources of %s',
    (_, files, first) => {
      expect(files.map(({ file }) => file)).toContain(first)
      expect(compilerErrors(files)).toBe('')
    },
    120_000,
  )

  it('starts in the README with at most 15 lines', () => {
    const section = read('README.md')
      .split(/^## /m)
      .find((text) => text.startsWith('Quick start'))
    const first = codeBlocks(section ?? '').find(({ language }) => language === 'ts')
    expect(first?.code).toMatch(/session\(/)
    expect(first?.code.split('\n').length).toBeLessThanOrEqual(15)
  })
})

describe('the pages and the sources agree', () => {
  it('each error code has one row, with its status', () => {
    const codes = Object.keys(ERROR_STATUS)
    const listed = rowsOf(read('docs/errors.md')).filter(({ name }) => name.startsWith('ERR_'))
    expect(listed.map(({ name }) => name).sort()).toEqual(codes.sort())
    const statuses = new Map(Object.entries(ERROR_STATUS))
    for (const { name, cells } of listed) expect(cells[0], name).toMatch(`${statuses.get(name)}`)
  })

  it('each warning code has one row', () => {
    const listed = rowsOf(read('docs/errors.md')).map(({ name }) => name)
    expect(listed.filter((name) => name.startsWith('WARN_')).sort()).toEqual(
      [...WARNING_CODES].sort(),
    )
  })

  it('each property of an error has one row', () => {
    const listed = rowsOf(read('docs/errors.md')).map(({ name }) => name)
    const details = [...members('src/errors.ts', 'ErrorDetails').keys(), 'code', 'expose']
    expect(listed.filter((name) => !/^[A-Z]+_/.test(name)).sort()).toEqual(details.sort())
  })

  it('each event has one row, with its fields', () => {
    const events = members('src/core/events.ts', 'Events')
    const listed = rowsOf(read('docs/events.md')).filter(({ cells }) => cells.length === 2)
    expect(listed.map(({ name }) => name).sort()).toEqual([...events.keys()].sort())
    for (const { name, cells } of listed) {
      const fields = [...events.get(name)!.matchAll(/readonly (\w+)\??:/g)].map(
        ([, field]) => field!,
      )
      for (const field of fields) expect(cells[1], `${name}: ${field}`).toContain(`\`${field}\``)
    }
  })

  it('each reason of an event is told', () => {
    const page = read('docs/events.md')
    for (const type of ['RenewReason', 'DestroyReason', 'StaleReason']) {
      const reasons = union('src/core/events.ts', type)
      expect(reasons.filter((reason) => !page.includes(`\`${reason}\``))).toEqual([])
    }
  })

  it('each option of session() and of its cookie has one heading', () => {
    const cookie = stringSet('src/cookie-option.ts', 'COOKIE_KNOWN').map((name) => `cookie.${name}`)
    const options = [...stringSet('src/options.ts', 'KNOWN'), ...cookie]
    const headings = [...prose(read('docs/options.md')).matchAll(/^### `([\w.]+)`$/gm)]
    expect(headings.map(([, name]) => name!).sort()).toEqual(options.sort())
  })

  it.each(storeNames())('the page of the store %s has one row for each of its options', (name) => {
    const apart = `src/stores/internal/${name}-store-options.ts`
    const source = existsSync(join(root, apart)) ? apart : `src/stores/${name}.ts`
    const [type] = /\w+Options\b/.exec(read(source).split('export interface ')[1]!)!
    const listed = rowsOf(read(`docs/stores/${name}.md`)).map((row) => row.name)
    expect(listed.sort()).toEqual([...members(source, type).keys()].sort())
  })

  it('each store that is there has its page in the table of the README', () => {
    const readme = read('README.md')
    const missing = storeNames().filter((name) => !readme.includes(`(docs/stores/${name}.md)`))
    expect(missing).toEqual([])
  })
})

describe('the links between the pages', () => {
  it.each(pages())('those of %s lead somewhere', (page) => {
    expect(deadLinks(page)).toEqual([])
  })
})

function storeNames(): string[] {
  const files = readdirSync(join(root, 'src/stores')).filter((name) => name.endsWith('.ts'))
  return files.map((name) => name.replace(/\.ts$/, ''))
}

/** What one run of the compiler says about the modules, with their lines as in the pages. */
function compilerErrors(modules: readonly Module[]): string {
  // Inside the repository, so that Express and Vitest are found; out of the way of everything else.
  const cache = join(root, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'coatcheck-docs-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const { file, code } of modules) {
    mkdirSync(join(folder, file, '..'), { recursive: true })
    writeFileSync(join(folder, file), code)
  }
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      // A page may name something only to show it.
      noUnusedLocals: false,
      noUnusedParameters: false,
      paths: {
        coatcheck: [join(root, 'src/index.ts')],
        'coatcheck/express-session': [join(root, 'src/express-session/index.ts')],
        'coatcheck/cookie-session': [join(root, 'src/cookie-session/index.ts')],
        'coatcheck/testing': [join(root, 'src/testing/index.ts')],
        'coatcheck/*': [join(root, 'src/*.ts')],
      },
    },
    files: modules.map(({ file }) => file),
    include: [],
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const typescript = createRequire(import.meta.url).resolve('typescript/package.json')
  const tsc = join(typescript, '../bin/tsc')
  const args = [tsc, '-p', folder, '--noEmit', '--pretty', 'false']
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  return stdout + stderr
}

/** Relative links to a file that is not there, or to a heading that its page does not have. */
function deadLinks(page: string): string[] {
  const text = prose(read(page)).replace(/`[^`\n]*`/g, '')
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false
    const [path = '', anchor] = target.split('#')
    const file = path === '' ? page : join(page, '..', path)
    if (!existsSync(join(root, file))) return true
    return anchor !== undefined && !anchors(read(file)).has(anchor)
  })
}
