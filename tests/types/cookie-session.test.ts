import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { BUNDLER, compilerOf, NODE16, NODENEXT, TypeProject } from './programs.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)

const NEWEST = compilerOf(require)

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

it.concurrent.each([
  ['the old types', "import other from 'cookie-session'", 'number', 'other({ secret })'],
  [
    'session()',
    "import { session } from 'coatcheck'",
    'CookieSession',
    "session({ secret, property: 'other' })",
  ],
  [
    'the drop-in for express-session, whose the name is then',
    "import other, { type RequestSession } from 'coatcheck/express-session'",
    'RequestSession',
    'other({ secret })',
  ],
])('a program may have it beside %s', async (_, from, type, use) => {
  const program = project.write(
    `beside-${type}.ts`,
    `import cookieSession, { type CookieSession } from 'coatcheck/cookie-session'
    ${from}
    import express from 'express'
    declare global {
      namespace CookieSessionInterfaces { interface CookieSessionObject { views: number } }
    }
    const secret = 'a secret of at least thirty-two bytes'
    const app = express()
    app.use(cookieSession({ secret }), ${use})
    export type Unused = CookieSession
    app.get('/', (req, res) => {
      const found: ${type} = ${type === 'number' ? 'req.session!.views' : 'req.session'}
      res.json(found)
    })`,
  )
  expect(await project.compile(NEWEST, [program], NODENEXT)).toBe('')
})
