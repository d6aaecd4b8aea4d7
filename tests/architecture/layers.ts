import { type Import, importsOf, type Sources, targetOf } from './sources.js'

const ENGINE = ['core', 'crypto', 'http', 'errors.ts', 'stores/memory.ts']

/**
 * What each folder, or file of `src` itself, may import besides its own folder. The longest name
 * that fits a file is its layer; `types of` a file allows `import type` alone.
 */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  crypto: ['errors.ts'],
  core: ['errors.ts', 'crypto'],
  http: ['errors.ts'],
  stores: [
    'errors.ts',
    'stores/internal',
    'core/clock.ts',
    'core/record.ts',
    'types of core/store.ts',
  ],
  'stores/cookie.ts': ['errors.ts', 'crypto', 'stores/internal', 'types of core/token-store.ts'],
  'stores/jwt.ts': [
    'errors.ts',
    'crypto',
    'stores/internal',
    'core/record.ts',
    'types of core/token-store.ts',
  ],
  'stores/internal': [
    'errors.ts',
    'crypto',
    'core/clock.ts',
    'core/record.ts',
    'types of core/store.ts',
  ],
  'kind.ts': [],
  'store-option.ts': [...ENGINE, 'kind.ts'],
  'option-checks.ts': ['errors.ts', 'kind.ts'],
  'cookie-option.ts': [...ENGINE, 'kind.ts', 'option-checks.ts'],
  'from-option.ts': [
    ...ENGINE,
    'kind.ts',
    'encrypt-option.ts',
    'option-checks.ts',
    'store-option.ts',
  ],
  'encrypt-option.ts': [...ENGINE, 'kind.ts', 'option-checks.ts'],
  'options.ts': [
    ...ENGINE,
    'kind.ts',
    'option-checks.ts',
    'cookie-option.ts',
    'from-option.ts',
    'store-option.ts',
    'transport/option.ts',
  ],
  'open-requests.ts': ['core/clock.ts', 'core/time-limit.ts'],
  'sweep-loop.ts': ['core/clock.ts', 'core/time-limit.ts', 'errors.ts'],
  'keeper-from.ts': [...ENGINE, 'types of options.ts'],
  'manager.ts': [
    ...ENGINE,
    'types of options.ts',
    'keeper-from.ts',
    'open-requests.ts',
    'sweep-loop.ts',
  ],
  'explanation.ts': ['types of http/secure-request.ts'],
  transport: [...ENGINE, 'kind.ts', 'types of manager.ts', 'types of explanation.ts'],
  'request-session.ts': [
    ...ENGINE,
    'transport',
    'types of manager.ts',
    'types of open-requests.ts',
    'types of explanation.ts',
  ],
  'open-tokens.ts': [...ENGINE, 'types of manager.ts'],
  'old-pair.ts': [...ENGINE, 'types of from-option.ts'],
  'old-cookie.ts': [
    ...ENGINE,
    'types of from-option.ts',
    'types of manager.ts',
    'old-pair.ts',
    'open-tokens.ts',
  ],
  'place.ts': [
    ...ENGINE,
    'cookie-option.ts',
    'types of manager.ts',
    'open-tokens.ts',
    'request-session.ts',
  ],
  'middleware.ts': [
    ...ENGINE,
    'options.ts',
    'place.ts',
    'manager.ts',
    'types of open-requests.ts',
    'open-tokens.ts',
    'old-cookie.ts',
    'request-session.ts',
    'types of explanation.ts',
  ],
  'express-request.ts': ['types of core/session.ts', 'types of core/session-data.ts'],
  'express-session': [
    ...ENGINE,
    'kind.ts',
    'store-option.ts',
    'open-requests.ts',
    'types of explanation.ts',
  ],
  'cookie-session': [
    ...ENGINE,
    'kind.ts',
    'encrypt-option.ts',
    'open-requests.ts',
    'types of explanation.ts',
    'types of express-session/anything.ts',
    'types of express-request.ts',
  ],
  cli: [''],
  'index.ts': [''],
  testing: ['core', 'errors.ts'],
}

/** Packages, and the files that may import each. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  cookie: ['http/session-cookie.ts', 'express-session/cookie.ts'],
  'cookie-signature': ['express-session/id-cookie.ts'],
  depd: [
    'express-session/cookie.ts',
    'express-session/id-cookie.ts',
    'express-session/middleware.ts',
    'cookie-session/set-cookie.ts',
  ],
  keygrip: ['cookie-session/signer.ts'],
}

/** Where HTTP is known. */
const KNOW_HTTP = ['http', 'testing']
const HTTP = /^node:(?:http|https|http2|net|tls)$/
/** Where sockets to a server are, without HTTP. */
const KNOW_SOCKETS = ['stores/internal']
const SOCKETS = /^node:(?:net|tls)$/

/** Imports that the table does not allow, as sentences. */
export function forbiddenImports(sources: Sources): string[] {
  return allImports(sources).flatMap((one) => {
    const objection = objectionTo(one)
    return objection === undefined ? [] : [`${one.from} imports ${one.specifier}: ${objection}`]
  })
}

/** Cycles of imports, of types too: whoever reads one of the files has to read them all. */
export function cycles(sources: Sources): string[] {
  const targets = new Map<string, string[]>()
  for (const one of allImports(sources)) {
    const target = targetOf(one)
    if (target === undefined) continue
    targets.set(one.from, [...(targets.get(one.from) ?? []), target])
  }
  const found: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file)
    if (start >= 0) found.push([...path.slice(start), file].join(' → '))
    if (start >= 0 || done.has(file)) return
    for (const target of targets.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of Object.keys(sources)) visit(file, [])
  return found
}

function allImports(sources: Sources): Import[] {
  return Object.entries(sources).flatMap(([path, text]) => importsOf(path, text))
}

function objectionTo(one: Import): string | undefined {
  const layer = layerOf(one.from)
  if (layer === undefined) return 'the table of layers does not know this file'
  const { specifier } = one
  const target = targetOf(one)
  if (target === undefined) {
    const isSocket = SOCKETS.test(specifier) && KNOW_SOCKETS.includes(layer)
    if (HTTP.test(specifier) && !isSocket && !KNOW_HTTP.includes(layer)) {
      return 'this layer knows no HTTP'
    }
    if (specifier.startsWith('node:') || PACKAGES[specifier]?.includes(one.from)) return undefined
    return 'no other package'
  }
  const targetLayer = layerOf(target)
  // Stores share what is in stores/internal, and know nothing of each other.
  if (targetLayer === layer && layer !== 'stores') return undefined
  const allowed = LAYERS[layer]!.some((name) => {
    const file = name.replace(/^types of /, '')
    if (file !== name && !one.typeOnly) return false
    return file === '' || file === target || file === targetLayer
  })
  return allowed ? undefined : `${layer} may import ${LAYERS[layer]!.join(', ') || 'nothing'}`
}

function layerOf(path: string): string | undefined {
  const fits = Object.keys(LAYERS).filter((name) => path === name || path.startsWith(`${name}/`))
  return fits.sort((a, b) => b.length - a.length)[0]
}
