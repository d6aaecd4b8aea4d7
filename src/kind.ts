/** Whether `value` can do something of this name. */
export function hasMethod(value: unknown, name: string): boolean {
  return typeof (value as Record<string, unknown> | null | undefined)?.[name] === 'function'
}

/** What a value is, without showing it: it may be a secret put in the wrong place. */
export function kind(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (hasMethod(value, 'then')) return 'a promise'
  const type = typeof value
  return type === 'object' || type === 'undefined'
    ? `${type === 'object' ? 'an ' : ''}${type}`
    : `a ${type}`
}
