import { execFileSync } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { BUNDLER, compilerOf, NODE16, NODENEXT, TypeProject } from './programs.js'

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

const pathOf = (name: string) => join(root, 'tests/types/projects', name)

it.concurrent.each([
  ['cookie-session.ts', 'nodenext', NEWEST, NODENEXT],
  ['cookie-session-new.ts', 'bundler', NEWEST, BUNDLER],
  ['cookie-session-commonjs.cts', 'node16', NEWEST, NODE16],
] as const)('%s compiles under %s, but for what it names', async (name, _, tsc, resolution) => {
  expect(await project.compile(tsc, [pathOf(name)], resolution)).toBe('')
})

it.concurrent('a program compiles, word for word, with the old types', async () => {
  const path = pathOf('cookie-session.ts')
  const text = readFileSync(path, 'utf8').replaceAll('coatcheck/cookie-session', 'cookie-session')
  const copy = project.write(`old-${basename(path)}`, text)
  expect(await project.compile(NEWEST, [copy], NODENEXT)).toBe('')
})
