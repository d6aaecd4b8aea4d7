import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../support/docs.js'
import {
  BUNDLER,
  COMMONJS,
  NODE16,
  PROGRAMS,
  type Program,
  TypeProject,
} from '../types/programs.js'
import { installed } from './installed.js'

let project: TypeProject
beforeAll(() => {
  execFileSync(process.execPath, [join(root, 'scripts/prepare.mjs'), 'test'], { stdio: 'inherit' })
  project = new TypeProject()
})
afterAll(() => project.remove())

const RESOLUTIONS = { node16: NODE16, bundler: BUNDLER, commonjs: COMMONJS }

/** `import x = require()` is CommonJS alone; a bundler compiles ES modules. */
function resolutionsFor(program: Program): (keyof typeof RESOLUTIONS)[] {
  const isCommonJS = PROGRAMS[program].some((name) => /\.c[jt]s$/.test(name))
  return isCommonJS ? ['node16'] : ['node16', 'bundler', 'commonjs']
}

describe.each(['5.9', '5.6'])('TypeScript %s', (version) => {
  let tsc: string
  beforeAll(async () => {
    const folder = await installed('typescript', version)
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    expect(manifest.version).toMatch(new RegExp(`^${version}\\.`))
    tsc = join(folder, 'bin/tsc')
  })

  const cases = (Object.keys(PROGRAMS) as Program[]).flatMap((program) =>
    resolutionsFor(program).map((resolution) => [program, resolution] as const),
  )
  it.each(cases)('compiles the program "%s" under %s', async (program, resolution) => {
    const files = project.copyOf(program)
    expect(await project.compile(tsc, files, RESOLUTIONS[resolution])).toBe('')
  })
})
