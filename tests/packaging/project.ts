import { execFile, execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

export interface Output {
  readonly stdout: string
  readonly stderr: string
}

export interface Manifest {
  version: string
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
}

/** A project of somebody else, with this package installed from what `npm pack` makes of it. */
export interface Project {
  readonly folder: string
  /** Where the package is in it. */
  readonly installed: string
  readonly tarball: string
  write(name: string, text: string): string
  /** Puts a package beside ours, as this repository has it. */
  link(name: string): void
  /**
   * Puts a package beside ours that has to find ours there: a copy, with links to all else that it
   * asks for. The manifest of the project names them.
   */
  copy(name: string): void
  /** The package.json of a package in it. */
  manifest(name: string): Manifest
  /** Writes a file and runs it. One that does not end by itself is killed, and fails. */
  script(name: string, text: string, node?: string): Promise<Output>
  node(args: readonly string[], options?: { cwd?: string; node?: string }): Promise<Output>
  remove(): void
}

/**
 * Into an empty project, with an empty cache and no network: what is needed has to be there.
 * `ours` is the folder of another package of this repository.
 */
export async function installedProject(ours?: string): Promise<Project> {
  execFileSync(process.execPath, [join(root, 'scripts/prepare.mjs'), 'test'], { stdio: 'inherit' })
  const temporary = mkdtempSync(join(tmpdir(), 'coatcheck-packaging-'))
  const folder = join(temporary, 'project')
  const installed = join(folder, 'node_modules/coatcheck')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "name": "project", "private": true }')
  const others = dependenciesOf(root).map((name) => join(root, 'node_modules', name))
  if (ours !== undefined) others.push(join(root, ours))
  const tarballs = await pack([root, ...others], temporary)
  const cache = join(temporary, 'cache')
  await npm(
    ['install', '--offline', '--no-audit', '--no-fund', '--cache', cache, ...tarballs],
    folder,
  )
  if (!existsSync(installed)) throw new Error('npm installed nothing.')

  const write = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const link = (name: string) => {
    const path = join(folder, 'node_modules', name)
    mkdirSync(dirname(path), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), path, 'junction')
  }
  const node: Project['node'] = (args, { cwd = folder, node: binary = process.execPath } = {}) => {
    const env = { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'development' }
    return run(binary, args, { cwd, env, timeout: 30_000 })
  }
  return {
    folder,
    installed,
    tarball: tarballs[0]!,
    write,
    link,
    copy: (name) => {
      const from = join(root, 'node_modules', name)
      const manifest = manifestOf(folder)
      const { version, ...needs } = manifestOf(from)
      cpSync(from, join(folder, 'node_modules', name), { recursive: true })
      const needed = { ...needs.dependencies, ...needs.peerDependencies }
      for (const other of Object.keys(needed)) {
        if (!existsSync(join(folder, 'node_modules', other))) link(other)
      }
      manifest.dependencies = { ...manifest.dependencies, ...needed, [name]: version }
      write('package.json', JSON.stringify(manifest))
    },
    manifest: (name) => manifestOf(join(folder, 'node_modules', name)),
    script: (name, text, binary = process.execPath) => {
      write(name, text)
      return node([name], { node: binary })
    },
    node,
    remove: () => rmSync(temporary, { recursive: true }),
  }
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** What a package depends on, and what that depends on. */
function dependenciesOf(folder: string): string[] {
  const names = Object.keys(manifestOf(folder).dependencies ?? {})
  const further = names.flatMap((name) => dependenciesOf(join(root, 'node_modules', name)))
  return [...new Set([...names, ...further])]
}

async function pack(folders: readonly string[], into: string): Promise<string[]> {
  const { stdout } = await npm(
    ['pack', ...folders, '--json', '--ignore-scripts', '--pack-destination', into],
    root,
  )
  const packed = JSON.parse(stdout) as { filename: string }[]
  return packed.map(({ filename }) => join(into, filename))
}

/** What npm finds wrong with the packages in a folder: missing ones, and those out of range. */
export async function npmProblems(folder: string): Promise<string[]> {
  const args = ['ls', '--all', '--json', '--offline']
  // It fails when it finds something, and says it all the same.
  const output = await npm(args, folder).catch((error: Output) => error)
  return (JSON.parse(output.stdout) as { problems?: string[] }).problems ?? []
}

/** On Windows npm is a script that only a shell can start, so its file is named where known. */
export function npm(args: string[], cwd: string): Promise<Output> {
  const script = process.env.npm_execpath
  const options = { cwd, encoding: 'utf8', shell: process.platform === 'win32' } as const
  return script && /\.c?js$/.test(script)
    ? run(process.execPath, [script, ...args], { ...options, shell: false })
    : run('npm', args, options)
}

/**
 * The text of a function that serves two requests of one visitor and prints what each one saw. It
 * takes the module, a store, and `express` where there is one.
 */
export const SERVE = `
  const { createServer } = require('node:http')
  const { once } = require('node:events')
  async function serve({ session }, store, express) {
    const sessions = session({ secret: 'x'.repeat(32), store })
    const answer = (req, res) => {
      const { session: current } = sessions.of(req)
      current.views = (current.views ?? 0) + 1
      res.end(String(current.views))
    }
    const listener = express
      ? express().use(sessions).get('/', answer)
      : (req, res) => sessions(req, res, () => answer(req, res))
    const server = createServer(listener)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = 'http://127.0.0.1:' + server.address().port
    const first = await fetch(url)
    const [cookie] = first.headers.getSetCookie()[0].split(';')
    const second = await fetch(url, { headers: { cookie } })
    console.log(await first.text(), await second.text())
    server.close()
    server.closeAllConnections()
  }`

/** The same for an ES module. */
export const SERVE_ESM = SERVE.replace(
  /const (\{ \w+ \}) = require\('([\w:]+)'\)/g,
  "import $1 from '$2'",
)
