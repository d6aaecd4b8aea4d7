import { execFile } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const projects = fileURLToPath(new URL('projects', import.meta.url))

/** Programs of their own: what one declares for `req.session` holds for all its files. */
export const NATIVE_PROGRAMS = {
  plain: ['generic.ts', 'reserved.ts', 'options.ts', 'cookies.ts', 'stores.ts', 'tokens.ts'],
  augmented: ['augmented.ts'],
  narrowed: ['narrowed.ts'],
  'Express 4': ['express4.ts'],
  CommonJS: ['commonjs.cts'],
  'beside express-session': ['beside-express-session.ts'],
  'CommonJS beside ES modules': ['plain-commonjs.cts', 'generic.ts'],
} as const

export const DROP_IN_PROGRAMS = {
  'the drop-in': ['drop-in.ts', 'drop-in-stores.ts'],
  'the drop-in in Express 4': ['drop-in-express4.ts'],
  'the drop-in in CommonJS': ['drop-in-commonjs.cts'],
  'the drop-in in checked JavaScript': ['drop-in-checked.cjs'],
  'what is new in the drop-in': ['drop-in-promises.ts'],
  'the drop-in beside the old types': ['drop-in-beside-types.ts'],
  'both faces': ['drop-in-beside-native.ts'],
  'both faces and the old types': ['drop-in-beside-types.ts', 'beside-express-session.ts'],
  'both builds of the drop-in': ['drop-in-both-builds.cts', 'drop-in-both-builds.ts'],
} as const

export const PROGRAMS = { ...NATIVE_PROGRAMS, ...DROP_IN_PROGRAMS } as const
export type Program = keyof typeof PROGRAMS

export interface Resolution {
  readonly module: string
  readonly moduleResolution: string
}
export const NODENEXT = { module: 'nodenext', moduleResolution: 'nodenext' }
export const NODE16 = { module: 'node16', moduleResolution: 'node16' }
export const BUNDLER = { module: 'esnext', moduleResolution: 'bundler' }
export const BUNDLED_COMMONJS = { module: 'commonjs', moduleResolution: 'bundler' }
/** What a plain `module: commonjs` meant until TypeScript 6: no exports map is read. */
export const COMMONJS = { module: 'commonjs', moduleResolution: 'node10' }

/** Where the files of a program are. */
export function filesOf(program: Program): string[] {
  return PROGRAMS[program].map((name) => join(projects, name))
}

/** `tsc` of the TypeScript that `from` finds. */
export function compilerOf(from: NodeJS.Require): string {
  return join(dirname(from.resolve('typescript/package.json')), 'bin/tsc')
}

/** A folder that has the package installed, and a compiler at work in it. */
export class TypeProject {
  readonly folder = mkdtempSync(join(tmpdir(), 'coatcheck-types-'))
  #count = 0

  constructor() {
    const modules = join(this.folder, 'node_modules')
    mkdirSync(modules)
    writeFileSync(join(this.folder, 'package.json'), '{ "type": "module" }')
    symlinkSync(root, join(modules, 'coatcheck'), 'junction')
    for (const name of ['@types', 'express', 'express4', 'express-session']) {
      symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction')
    }
  }

  /** The files of a program as of a user: without exports, a package cannot be found by its own name. */
  copyOf(program: Program): string[] {
    return PROGRAMS[program].map((name) => {
      const copy = join(this.folder, name)
      copyFileSync(join(projects, name), copy)
      return copy
    })
  }

  /** Puts a file of one's own into it. */
  write(name: string, text: string): string {
    const file = join(this.folder, name)
    writeFileSync(file, text)
    return file
  }

  /** What tsc says about `files` under the strictest options a user may have. */
  async compile(tsc: string, files: readonly string[], resolution: Resolution): Promise<string> {
    const config = join(this.folder, `tsconfig.${this.#count++}.json`)
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
      allowJs: files.some((path) => path.endsWith('.cjs')),
    }
    writeFileSync(config, JSON.stringify({ compilerOptions, files }))
    const args = [tsc, '-p', config, '--pretty', 'false']
    try {
      return (await promisify(execFile)(process.execPath, args)).stdout
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      return stdout + stderr
    }
  }

  /**
   * Compiles an installed copy of a program without its `@ts-expect-error`: what it says must not
   * compile, as `file line code`, and what does not.
   */
  async refusals(tsc: string, program: Program, resolution: Resolution) {
    const expected: string[] = []
    const files = filesOf(program).map((path) => {
      const name = basename(path)
      const lines = readFileSync(path, 'utf8').split('\n')
      const stripped = lines.map((line, index) => {
        const code = /@ts-expect-error (TS\d+)/.exec(line)?.[1]
        if (code !== undefined) expected.push(`${name} ${index + 2} ${code}`)
        return line.replace('@ts-expect-error', '')
      })
      return this.write(name, stripped.join('\n'))
    })
    const output = await this.compile(tsc, files, resolution)
    const errors = output.matchAll(/([\w-]+(?:\.d)?\.c?[jt]s)\((\d+),\d+\): error (TS\d+)/g)
    const found = [...errors].map(([, file, line, code]) => `${file} ${line} ${code}`)
    return { expected: expected.sort(), found: found.sort() }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true })
  }
}
