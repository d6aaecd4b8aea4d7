// Runs before `npm start` and `npm test`: installs what is missing, builds what is missing or stale,
// and is silent when there is nothing to do. Needs no dependency, and keeps to syntax that Node 14
// can parse, so that an old Node gets a sentence and not a SyntaxError.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isBuilt } from './built-from.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const purpose = process.argv[2] || 'run'

main()

function main() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Coatcheck needs Node 20.19 or newer, and this is Node ${process.versions.node}.`)
  }
  if (!missing()) return
  // Two installations in one folder, from two terminals, would pull it from under each other.
  const unlock = lock()
  try {
    prepare()
  } finally {
    unlock()
  }
}

function prepare() {
  const reason = missingInstall()
  if (reason) {
    say(`installing the dependencies, because ${reason}`)
    // Not `npm ci`: it refuses a lock file that was written where the binaries of some platforms
    // could not be had. This takes the versions of the lock file too, and leaves the file alone.
    const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
    run(npm(), args, 'The installation failed')
  }
  if (!isBuilt(root)) {
    const state = existsSync(join(root, 'dist')) ? 'older than src' : 'not there yet'
    say(`building the package, because dist is ${state}`)
    run([process.execPath], [join(root, 'scripts/build.mjs')], 'The build failed')
  }
}

function missing() {
  return missingInstall() || !isBuilt(root)
}

/**
 * Why an installation is needed, or undefined. npm keeps what it installed in
 * node_modules/.package-lock.json; comparing versions is surer than comparing dates, which a
 * checkout changes.
 */
function missingInstall() {
  const installed = readJson(join(root, 'node_modules/.package-lock.json'))
  if (!installed) return 'node_modules is not there yet'
  const wanted = readJson(join(root, 'package-lock.json'))
  if (!wanted) return undefined
  for (const path of Object.keys(wanted.packages)) {
    const entry = wanted.packages[path]
    // '' is this package itself; optional ones are for other platforms.
    if (path === '' || entry.optional || entry.devOptional || entry.link) continue
    const present = installed.packages[path]
    if (!present || present.version !== entry.version || present.integrity !== entry.integrity) {
      return 'package-lock.json asks for other ones'
    }
  }
  return undefined
}

/** Waits until no other run prepares this folder. Gives the function that lets the next one in. */
function lock() {
  const user = process.getuid ? process.getuid() : ''
  const name = createHash('sha256').update(`${user} ${root}`).digest('hex').slice(0, 16)
  const path = join(tmpdir(), `coatcheck-prepare-${name}`)
  let told = false
  for (;;) {
    try {
      mkdirSync(path)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') fail(`Cannot write to ${tmpdir()} (${error.code}).`)
    }
    if (age(path) > 10 * 60 * 1000) {
      removeStale(path)
      continue
    }
    if (!told) say('waiting for another terminal that installs or builds')
    told = true
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  }
  const unlock = () => {
    process.removeListener('exit', unlock)
    try {
      rmdirSync(path)
    } catch (error) {
      if (error.code !== 'ENOENT') throw error
    }
  }
  process.on('exit', unlock)
  // Ctrl-C during an installation must not make the next start wait.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  utimesSync(path, new Date(), new Date())
  return unlock
}

/** Left by a run that was killed. Renamed first, so that of two waiters only one removes it. */
function removeStale(path) {
  try {
    renameSync(path, `${path}-${process.pid}`)
    rmdirSync(`${path}-${process.pid}`)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
}

function age(path) {
  try {
    return Date.now() - statSync(path).mtimeMs
  } catch {
    return 0
  }
}

function run([command, ...first], args, failure) {
  try {
    // Everything on stderr: stdout belongs to the command that follows.
    execFileSync(command, [...first, ...args], { cwd: root, stdio: ['ignore', 2, 2] })
  } catch (error) {
    fail(`${failure} (${error.status === undefined ? error.code : `exit code ${error.status}`}).`)
  }
}

/** How to call npm. On Windows npm is a script that only a shell can start, so its file is named. */
function npm() {
  const script = process.env.npm_execpath
  return script && /\.c?js$/.test(script) ? [process.execPath, script] : ['npm']
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

function say(line) {
  console.error(`Before ${purpose}: ${line} …`)
}

function fail(line) {
  console.error(line)
  process.exit(1)
}
