import type { HeaderView } from './header-view.js'

/**
 * Keeps a response with a credential out of caches, unless the application has said how to cache it.
 * `shared`: it has allowed shared caches to keep it.
 */
export function forbidCaching(headers: HeaderView): 'shared' | undefined {
  const set = headers.get('Cache-Control')
  if (set === undefined) {
    headers.set('Cache-Control', 'no-store')
    return undefined
  }
  const value = String(set).toLowerCase()
  if (/\b(?:no-store|private|no-cache)\b/.test(value)) return undefined
  return /\b(?:public|s-maxage|max-age)\b/.test(value) ? 'shared' : undefined
}

/** Names a request header that the response depends on, once. */
export function addVary(headers: HeaderView, field: string): void {
  const set = headers.get('Vary')
  if (set === undefined) {
    headers.set('Vary', field)
    return
  }
  const value = Array.isArray(set) ? set.join(', ') : set
  const named = value.split(',').map((one) => one.trim().toLowerCase())
  if (!named.includes('*') && !named.includes(field.toLowerCase())) {
    headers.set('Vary', `${value}, ${field}`)
  }
}
