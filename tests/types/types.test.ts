import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const projects = fileURLToPath(new URL('projects', import.meta.url))
const temporary = mkdtempSync(join(tmpdir(), 'coatcheck-types-'))
const require = createRequire(import.meta.url)

const NEWEST = compilerOf(require)
/** What the tool behind the packaging test brings: a compiler that many still use. */
const OLDER = compilerOf(createRequire(require.resolve('@arethetypeswrong/core')))

/** Programs of their own: what one declares for `req.session` holds for all its files. */
const PROGRAMS = {
  plain: ['generic.ts', 'reserved.ts', 'options.ts', 'stores.ts'],
  augmented: ['augmented.ts'],
  narrowed: ['narrowed.ts'],
  'Express 4': ['express4.ts'],
  CommonJS: ['commonjs.cts'],
  'beside express-session': ['beside-express-session.ts'],
  'CommonJS beside ES modules': ['plain-commonjs.cts', 'generic.ts'],
} as const
type Program = keyof typeof PROGRAMS

const NODENEXT = { module: 'nodenext', moduleResolution: 'nodenext' }
const NODE16 = { module: 'node16', moduleResolution: 'node16' }
const BUNDLER = { module: 'esnext', moduleResolution: 'bundler' }
const BUNDLED_COMMONJS = { module: 'commonjs', moduleResolution: 'bundler' }
type Resolution = { module: string; moduleResolution: string }

// A compiler in JavaScript, several at once, on a small machine.
vi.setConfig({ testTimeout: 90_000 })

beforeAll(() => {
  // The programs find the package by its own name, so through its exports map and its build.
  execFileSync(process.execPath, [join(root, 'scripts/prepare.mjs'), 'test'], { stdio: 'inherit' })
  linkPackages()
}, 120_000)
afterAll(() => rmSync(temporary, { recursive: true }))

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
    const files = PROGRAMS[program].map((name) => {
      const lines = readFileSync(join(projects, name), 'utf8').split('\n')
      const stripped = lines.map((line, index) => {
        const code = /@ts-expect-error (TS\d+)/.exec(line)?.[1]
        if (code !== undefined) expected.push(`${name} ${index + 2} ${code}`)
        return line.replace('@ts-expect-error', '')
      })
      const file = join(temporary, name)
      writeFileSync(file, stripped.join('\n'))
      return file
    })
    const output = await compile(NEWEST, files, NODENEXT)
    const errors = output.matchAll(/([\w-]+\.c?ts)\((\d+),\d+\): error (TS\d+)/g)
    const found = [...errors].map(([, file, line, code]) => `${file} ${line} ${code}`)
    expect(found.sort()).toEqual(expected.sort())
  },
)

async function compiles(tsc: string, program: Program, resolution: Resolution): Promise<void> {
  const files = PROGRAMS[program].map((name) => join(projects, name))
  expect(await compile(tsc, files, resolution)).toBe('')
}

let count = 0

/** What tsc says about `files` under the strictest options a user may have. */
async function compile(tsc: string, files: string[], resolution: Resolution): Promise<string> {
  const config = join(temporary, `tsconfig.${count++}.json`)
  const compilerOptions = {
    ...resolution,
    target: 'es2022',
    lib: ['es2023'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    skipLibCheck: false,
    esModuleInterop: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  }
  writeFileSync(config, JSON.stringify({ compilerOptions, files }))
  try {
    const run = await promisify(execFile)(process.execPath, [
      tsc,
      '-p',
      config,
      '--pretty',
      'false',
    ])
    return run.stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    return stdout + stderr
  }
}

function compilerOf(from: NodeJS.Require): string {
  return join(dirname(from.resolve('typescript/package.json')), 'bin/tsc')
}

/** The temporary folder as a project that has installed the package. */
function linkPackages(): void {
  const modules = join(temporary, 'node_modules')
  mkdirSync(modules)
  writeFileSync(join(temporary, 'package.json'), '{ "type": "module" }')
  symlinkSync(root, join(modules, 'coatcheck'), 'junction')
  for (const name of ['@types', 'express', 'express4', 'express-session']) {
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction')
  }
}
