const TITLE = String.raw`\(\s*(?<quote>['"\x60])(?<title>(?:\\.|(?!\k<quote>)[^\\])*)\k<quote>`

/** The titles of the tests and groups in a file, but of none that is skipped. */
export function titlesIn(source: string): string[] {
  const calls = new RegExp(String.raw`\b(?:it|test|describe)(?<how>(?:\.\w+)*)${TITLE}`, 'g')
  const tables = new RegExp(String.raw`\)${TITLE},\s`, 'g')
  const run = [...source.matchAll(calls)].filter(({ groups }) => !isLeftOut(groups!.how!))
  const each = isLeftOut(source) ? [] : [...source.matchAll(tables)]
  const titles = [...run, ...each].map(({ groups }) => groups!.title!)
  return titles.map((title) => title.replaceAll('\\', '').replaceAll(/\s+/g, ' '))
}

/** By the words after `it`, or anywhere in a file whose tables may be meant. */
function isLeftOut(how: string): boolean {
  return /^(\.\w+)*\.(skip|todo)\b|\.(skip|todo)\.each\b/.test(how)
}

export interface TestLink {
  /** From the root of the repository. */
  readonly path: string
  readonly name: string
}

/** Links of the form `[test](path "title of the test")` in a text of a page of docs/. */
export function testLinks(text: string): TestLink[] {
  return [...text.matchAll(/\[[^\]]+\]\(\.\.\/(\S+) "([^"]+)"\)/g)].map(([, path, name]) => ({
    path: path!,
    name: name!,
  }))
}
