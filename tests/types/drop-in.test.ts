import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import {
  BUNDLER,
  compilerOf,
  DROP_IN_PROGRAMS,
  filesOf,
  NODE16,
  NODENEXT,
  TypeProject,
} from './programs.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)

const NEWEST = compilerOf(require)
/** What the tool behind the packaging test brings: a compiler that many still use. */
const OLDER = compilerOf(createRequire(require.resolve('@arethetypeswrong/core')))

vi.setConfig({ testTimeout: 90_000 })

let project: TypeProject
beforeAll(() => {
  execFileSync(process.execPath, [join(root, 'scripts/prepare.mjs'), 'test'], { stdio: 'inherit' })
  project = new TypeProject()
}, 120_000)
afterAll(() => project.remove())

type DropIn = keyof typeof DROP_IN_PROGRAMS

it.concurrent.each(Object.keys(DROP_IN_PROGRAMS) as DropIn[])(
  'the program "%s" compiles, but for what it names',
  async (program) => {
    const { expected, found } = await project.refusals(NEWEST, program, NODENEXT)
    expect(found).toEqual(expected)
  },
)

it.concurrent.each([
  ['the drop-in in CommonJS', 'node16', NEWEST, NODE16],
  ['both builds of the drop-in', 'node16', NEWEST, NODE16],
  ['the drop-in', 'bundler', NEWEST, BUNDLER],
  ['both faces and the old types', 'node16 of an older TypeScript', OLDER, NODE16],
] as const)('the program "%s" compiles under %s', async (program, _, tsc, resolution) => {
  expect(await project.compile(tsc, filesOf(program), resolution)).toBe('')
})

it.concurrent.each([
  'the drop-in',
  'the drop-in in CommonJS',
  'the drop-in in checked JavaScript',
] as const)('the program "%s" compiles, word for word, with the old types', async (program) => {
  const files = filesOf(program).map((path) => {
    const text = readFileSync(path, 'utf8').replaceAll(
      'coatcheck/express-session',
      'express-session',
    )
    return project.write(`old-${basename(path)}`, text)
  })
  expect(await project.compile(NEWEST, files, NODENEXT)).toBe('')
})

it('has every exported name on the function too, which is all that `require` gives', () => {
  const names = (path: string, begin: string) => {
    const text = readFileSync(join(root, 'src/express-session', path), 'utf8')
    const lists = text.slice(text.indexOf(begin)).matchAll(/export (?:type )?\{([^}]*)\}/g)
    const all = [...lists].flatMap(([, list]) => list!.replace(/\/\/.*/g, '').split(','))
    return all.map((name) => name.replace('type ', '').trim()).filter((name) => /^\w+$/.test(name))
  }
  const onFunction = names('middleware.ts', 'declare namespace session').slice(0, -1)
  expect(onFunction.sort()).toEqual(names('index.ts', 'export').sort())
})
