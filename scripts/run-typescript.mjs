// Runs a program of tests/ that is no test: node scripts/run-typescript.mjs <main.ts> [workers.ts …]
// Node 20 reads no TypeScript. Each file becomes a .js beside the others, so that the first can start
// the rest as processes by `new URL('./name.js', import.meta.url)`.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
// In here the packages are found.
const cache = join(root, 'node_modules/.cache')
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'coatcheck-run-'))
try {
  const [main, ...workers] = process.argv.slice(2)
  await build({
    entryPoints: [main, ...workers].map((path) => join(root, path)),
    outdir: folder,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
  })
  const program = join(folder, basename(main).replace(/\.ts$/, '.js'))
  // Ctrl-C ends the program, which says what it has found so far; then this.
  process.on('SIGINT', () => {})
  const { status } = spawnSync(process.execPath, ['--enable-source-maps', program], {
    cwd: root,
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
