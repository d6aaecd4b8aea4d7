import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../support/docs.js'

const cache = join(root, 'node_modules/.cache')

/**
 * The folder of a package of another version than the repository has, from the registry, kept
 * between runs. It is no dependency under an alias, because that would take over `.bin`.
 */
export async function installed(name: string, version: string): Promise<string> {
  const place = join(cache, `coatcheck-${name}`, version)
  const found = join(place, 'node_modules', name)
  if (existsSync(found)) return found
  const draft = `${place}.${process.pid}`
  mkdirSync(draft, { recursive: true })
  // Without it npm would look for the root of a project further up, and find the repository.
  writeFileSync(join(draft, 'package.json'), '{ "private": true }\n')
  const args = ['install', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${version}`]
  await promisify(execFile)('npm', [...args, '--prefix', draft], {
    cwd: draft,
    shell: process.platform === 'win32',
  })
  try {
    renameSync(draft, place)
  } catch (error) {
    // Another run has put the same in place meanwhile.
    if (!existsSync(found)) throw error
    rmSync(draft, { recursive: true })
  }
  return found
}
