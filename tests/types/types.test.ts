import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import {
  BUNDLED_COMMONJS,
  BUNDLER,
  compilerOf,
  filesOf,
  NODE16,
  NODENEXT,
  PROGRAMS,
  type Program,
  type Resolution,
  TypeProject,
} from './programs.js'

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

it.concurrent.each(Object.keys(PROGRAMS) as Program[])(
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

it.concurrent.each(Object.keys(PROGRAMS) as Program[])(
  'what must not compile in "%s" fails for the reason it names, in an installed copy too',
  async (program) => {
    const expected: string[] = []
    const files = filesOf(program).map((path) => {
      const name = basename(path)
      const lines = readFileSync(path, 'utf8').split('\n')
      const stripped = lines.map((line, index) => {
        const code = /@ts-expect-error (TS\d+)/.exec(line)?.[1]
        if (code !== undefined) expected.push(`${name} ${index + 2} ${code}`)
        return line.replace('@ts-expect-error', '')
      })
      return written(name, stripped.join('\n'))
    })
    const output = await project.compile(NEWEST, files, NODENEXT)
    const errors = output.matchAll(/([\w-]+\.c?ts)\((\d+),\d+\): error (TS\d+)/g)
    const found = [...errors].map(([, file, line, code]) => `${file} ${line} ${code}`)
    expect(found.sort()).toEqual(expected.sort())
  },
)

it.concurrent('an augmentation with a reserved name does not compile', async () => {
  const program = written(
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

function written(name: string, text: string): string {
  const file = join(project.folder, name)
  writeFileSync(file, text)
  return file
}

async function compiles(tsc: string, program: Program, resolution: Resolution): Promise<void> {
  expect(await project.compile(tsc, filesOf(program), resolution)).toBe('')
}
