import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cache = join(root, 'node_modules/.cache/coatcheck-built')
const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc')

/** How long other runs may still use a build of other sources. */
const KEPT = 60 * 60_000

/**
 * The URL of a module of `src` as JavaScript, or of their folder, for processes that a test starts: Node 20 does not
 * read TypeScript. Sources are built once per state of theirs.
 */
export function builtUrl(path = ''): string {
  return new URL(path, pathToFileURL(`${build()}/`)).href
}

function build(): string {
  const target = join(cache, fingerprint())
  if (existsSync(target)) return target
  mkdirSync(cache, { recursive: true })
  for (const name of readdirSync(cache)) {
    const old = statSync(join(cache, name), { throwIfNoEntry: false })
    if (old && Date.now() - old.mtimeMs > KEPT) rmSync(join(cache, name), { recursive: true })
  }
  const partial = `${target}.${process.pid}`
  const options = ['--outDir', partial, '--declaration', 'false', '--sourceMap', 'false']
  // A type error elsewhere in the sources is for `npm run types` to tell: the files come out anyway.
  const run = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', ...options], {
    cwd: root,
    encoding: 'utf8',
  })
  if (!existsSync(partial)) throw new Error(`tsc wrote nothing\n${run.stdout}${run.stderr}`)
  writeFileSync(join(partial, 'package.json'), '{ "type": "module" }\n')
  try {
    renameSync(partial, target)
  } catch (error) {
    // Another test file has built the same meanwhile.
    if (!existsSync(target)) throw error
    rmSync(partial, { recursive: true })
  }
  return target
}

function fingerprint(): string {
  const hash = createHash('sha256')
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  const files = sources.filter((name) => name.endsWith('.ts')).map((name) => join('src', name))
  for (const name of [...files.sort(), 'tsconfig.json', 'tsconfig.build.json']) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(root, name)))
      .update('\0')
  }
  return hash.digest('hex').slice(0, 24)
}
