import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import {
  BUNDLED_COMMONJS,
  BUNDLER,
  compilerOf,
  filesOf,
  NATIVE_PROGRAMS,
  NODE16,
  NODENEXT,
  type Program,
  type Resolution,
  TypeProject,
} from './programs.js'

type Native = keyof typeof NATIVE_PROGRAMS

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)

const NEWEST = compilerOf(require)
/** What the tool behind the packaging test brings: a compiler that many still use. */
const OLDER = compilerOf(createRequire(require.resolve('@arethetypeswrong/core')))

// A compiler in JavaScript, several at once, on a small machine.
vi.setConfig({ testTimeout: 90_000 })

let project: TypeProject
beforeAll(() => {
  // The programs find the package by its own name, so through its exports map and its build.
  execFileSync(process.execPath, [join(root, 'scripts/prepare.mjs'), 'test'], { stdio: 'inherit' })
  project = new TypeProject()
}, 120_000)
afterAll(() => project.remove())

it.concurrent.each(Object.keys(NATIVE_PROGRAMS) as Native[])(
  'the program "%s" compiles under nodenext',
  (program) => compiles(NEWEST, program, NODENEXT),
)

it.concurrent.each([
  ['plain', 'node16', NODE16],
  ['augmented', 'node16', NODE16],
  ['CommonJS', 'node16', NODE16],
  ['plain', 'bundler', BUNDLER],
  ['augmented', 'bundler', BUNDLER],
  ['augmented', 'bundler and commonjs', BUNDLED_COMMONJS],
] as const)('the program "%s" compiles under %s', (program, _, resolution) =>
  compiles(NEWEST, program, resolution),
)

it.concurrent.each(['plain', 'beside express-session'] as const)(
  'the program "%s" compiles with an older TypeScript',
  (program) => compiles(OLDER, program, NODE16),
)

it.concurrent.each(Object.keys(NATIVE_PROGRAMS) as Native[])(
  'what must not compile in "%s" fails for the reason it names, in an installed copy too',
  async (program) => {
    const { expected, found } = await project.refusals(NEWEST, program, NODENEXT)
    expect(found).toEqual(expected)
  },
)

it.concurrent('an augmentation with a reserved name does not compile', async () => {
  const program = project.write(
    'reserved-augmented.ts',
    `import { session } from 'coatcheck'
    declare module 'coatcheck' {
      interface SessionData { save: string }
    }
    export const sessions = session({ secret: 'a secret of at least thirty-two bytes' })`,
  )
  const output = await project.compile(NEWEST, [program], NODENEXT)
  expect(output).toMatch(/error TS2344: Type 'SessionData' does not satisfy .*NoReservedNames/)
  expect(output).toMatch(/'save' are incompatible/)
})

async function compiles(tsc: string, program: Program, resolution: Resolution): Promise<void> {
  expect(await project.compile(tsc, filesOf(program), resolution)).toBe('')
}
