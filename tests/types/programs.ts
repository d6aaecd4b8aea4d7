import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))
const projects = fileURLToPath(new URL('projects', import.meta.url))

/** Programs of their own: what one declares for `req.session` holds for all its files. */
export const PROGRAMS = {
  plain: ['generic.ts', 'reserved.ts', 'options.ts', 'cookies.ts', 'stores.ts'],
  augmented: ['augmented.ts'],
  narrowed: ['narrowed.ts'],
  'Express 4': ['express4.ts'],
  CommonJS: ['commonjs.cts'],
  'beside express-session': ['beside-express-session.ts'],
  'CommonJS beside ES modules': ['plain-commonjs.cts', 'generic.ts'],
} as const
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

  remove(): void {
    rmSync(this.folder, { recursive: true })
  }
}
