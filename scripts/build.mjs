// Builds dist/esm (what Node loads) and dist/cjs (for tools that cannot load ES modules).
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fingerprint, STAMP } from './built-from.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
// Beside dist/, so that the paths in the source maps are right and the rename stays on one disk.
// Built whole and then put in place: a running test never meets half a build, and a build that
// fails leaves the last good one.
const draft = join(root, `.dist-${process.pid}`)
const retired = join(root, `.dist-${process.pid}-old`)

// Taken before: a file that is saved while tsc runs makes this build stale, not fresh.
const sources = fingerprint(root)
try {
  const tsc = join(
    dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
    'bin/tsc',
  )
  for (const [project, folder] of [
    ['tsconfig.build.json', 'esm'],
    ['tsconfig.cjs.json', 'cjs'],
  ]) {
    const args = [tsc, '-p', join(root, project), '--outDir', join(draft, folder)]
    execFileSync(process.execPath, args, { stdio: 'inherit', cwd: root })
  }
  writeFileSync(join(draft, 'cjs/package.json'), '{ "type": "commonjs" }\n')
  requireGives(join(draft, 'cjs/express-session/index'), 'session', './middleware.js')
  requireGives(join(draft, 'cjs/cookie-session/index'), 'cookieSession', './middleware.js')
  writeFileSync(join(draft, STAMP), `${sources}\n`)
  putInPlace()
} catch (error) {
  // tsc has already said what is wrong.
  if (error.status === undefined) throw error
  process.exitCode = 1
} finally {
  rmSync(draft, { recursive: true, force: true })
  rmSync(retired, { recursive: true, force: true })
}

/**
 * Makes a CommonJS module whose `require` gives one function, with everything else on it. The ES
 * module says so by the export name 'module.exports', which tsc turns into one property of many.
 */
function requireGives(path, name, from) {
  const types = readFileSync(`${path}.d.ts`, 'utf8')
  if (!types.includes(`${name} as 'module.exports'`)) throw new Error(`${path} is no such module`)
  const globals = types.replace(/^export .*\n/gm, '')
  writeFileSync(`${path}.d.ts`, `import { ${name} } from '${from}';\n${globals}export = ${name};\n`)
  const [, sourceMap] = readFileSync(`${path}.js`, 'utf8').split(/^(?=\/\/# sourceMappingURL)/m)
  writeFileSync(
    `${path}.js`,
    `"use strict";\nmodule.exports = require("${from}").${name};\n${sourceMap}`,
  )
}

function putInPlace() {
  for (let attempt = 1; ; attempt++) {
    try {
      if (existsSync(dist)) renameSync(dist, retired)
      renameSync(draft, dist)
      return
    } catch (error) {
      // Another build was put in place, or taken away, between our two steps.
      const raced = ['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(error.code)
      if (!raced || attempt === 10) throw error
      rmSync(retired, { recursive: true, force: true })
    }
  }
}
