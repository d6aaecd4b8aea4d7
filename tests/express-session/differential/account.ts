/** What a sequence showed from outside: everything that is compared. */
export interface Account {
  readonly exchanges: readonly ExchangeAccount[]
}

export interface ExchangeAccount {
  /** What the factory said, if this is the first exchange of a phase. */
  readonly started: readonly string[]
  readonly response: ResponseAccount
  /** What the handler saw of the session and what its callbacks were told. */
  readonly saw: readonly unknown[]
  readonly calls: readonly Call[]
  /** The calls of `next` by the middleware. */
  readonly nexts: readonly string[]
  /** The console, and deprecations. */
  readonly output: readonly string[]
  /** What the store holds afterwards, by id. */
  readonly records: Readonly<Record<string, string>>
}

export type ResponseAccount =
  | { readonly failure: string }
  | {
      readonly status: string
      readonly headers: readonly string[]
      readonly cookies: readonly string[]
      readonly body: string
    }

export interface Call {
  readonly name: 'get' | 'set' | 'touch' | 'destroy'
  readonly id: string
  /** What each argument after the id was. */
  readonly given: readonly string[]
  /** The session as a store would write it. */
  readonly text?: string
}

/** Ids that were drawn at random, by the order in which they appear. */
export function withoutRandomIds(account: Account): Account {
  const names = new Map<string, string>()
  const text = JSON.stringify(account).replace(/[A-Za-z0-9_-]{32}(?![A-Za-z0-9_-])/g, (id) => {
    if (!names.has(id)) names.set(id, `random-${names.size + 1}`)
    return names.get(id) as string
  })
  return JSON.parse(text) as Account
}

/** Where two accounts differ, a line each. */
export function differences(old: unknown, fresh: unknown, path = ''): string[] {
  if (Object.is(old, fresh)) return []
  if (!isObject(old) || !isObject(fresh) || Array.isArray(old) !== Array.isArray(fresh)) {
    return [`${path}\n    old ${show(old)}\n    new ${show(fresh)}`]
  }
  if (Array.isArray(old) && Array.isArray(fresh) && old.length !== fresh.length && !isLog(path)) {
    return [`${path}\n    old ${show(old)}\n    new ${show(fresh)}`]
  }
  const keys = new Set([...Object.keys(old), ...Object.keys(fresh)])
  return [...keys].flatMap((key) => {
    const name = Array.isArray(old) ? `[${key}]` : `${path === '' ? '' : '.'}${key}`
    return differences(old[key], fresh[key], path + name)
  })
}

function isLog(path: string): boolean {
  return path === 'exchanges'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function show(value: unknown): string {
  if (!Array.isArray(value) || value.length < 2) return JSON.stringify(value) ?? 'nothing'
  return value.map((item) => `\n      ${JSON.stringify(item)}`).join('')
}
