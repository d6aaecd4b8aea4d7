type Target = string | { readonly [condition: string]: Target }
export type ExportsMap = Readonly<Record<string, Target>>

/** Files of `src` that a program can import: `index.ts`, a store, or the `index.ts` of a folder. */
const ENTRY = /^(?:index|stores\/[^/]+|[^/]+\/index)\.ts$/

/**
 * What is wrong between the exports map, the files of `src` and those of the build: the import
 * path is the path of the file.
 */
export function wrongEntries(
  exports: ExportsMap,
  sources: readonly string[],
  exists: (path: string) => boolean,
): string[] {
  const wrong: string[] = []
  const specifiers = Object.keys(exports).filter((one) => one !== './package.json')
  for (const specifier of specifiers) {
    const source = sourceOf(specifier, sources)
    if (source === undefined) {
      wrong.push(`${specifier} has no file in src`)
      continue
    }
    for (const { conditions, path } of targetsOf(exports[specifier]!)) {
      if (!exists(path)) wrong.push(`${specifier} leads to ${path}, which is not there`)
      const build = conditions[0] === 'require' ? 'cjs' : 'esm'
      const extension = conditions.at(-1) === 'types' ? 'd.ts' : 'js'
      const right = `./dist/${build}/${source.replace(/ts$/, extension)}`
      if (path !== right) wrong.push(`${specifier} leads to ${path} and not to ${right}`)
    }
    const conditions = targetsOf(exports[specifier]!).map((one) => one.conditions.join(' '))
    if (conditions.join() !== CONDITIONS.join()) {
      wrong.push(`${specifier} has the conditions ${conditions.join(', ')}`)
    }
  }
  for (const source of sources.filter((path) => ENTRY.test(path))) {
    const exported = specifiers.some((specifier) => sourceOf(specifier, sources) === source)
    if (!exported) wrong.push(`${source} is not in the exports`)
  }
  return wrong
}

/** In this order: the first that fits wins, for Node and for TypeScript. */
const CONDITIONS = ['module-sync', 'import', 'require'].flatMap((condition) => [
  `${condition} types`,
  `${condition} default`,
])

/** Stores without a test or a page of their own. */
export function lonelyStores(
  sources: readonly string[],
  exists: (path: string) => boolean,
): string[] {
  const stores = sources.filter((path) => /^stores\/[^/]+\.ts$/.test(path))
  return stores.flatMap((path) => {
    const name = path.replace(/\.ts$/, '')
    return [`tests/${name}.test.ts`, `docs/${name}.md`]
      .filter((wanted) => !exists(wanted))
      .map((wanted) => `src/${path} has no ${wanted}`)
  })
}

function sourceOf(specifier: string, sources: readonly string[]): string | undefined {
  const path = specifier.replace(/^\.\/?/, '')
  const candidates = path === '' ? ['index.ts'] : [`${path}.ts`, `${path}/index.ts`]
  return candidates.find((candidate) => sources.includes(candidate))
}

function targetsOf(
  target: Target,
  conditions: readonly string[] = [],
): { conditions: readonly string[]; path: string }[] {
  if (typeof target === 'string') return [{ conditions, path: target }]
  return Object.entries(target).flatMap(([name, inner]) => targetsOf(inner, [...conditions, name]))
}
