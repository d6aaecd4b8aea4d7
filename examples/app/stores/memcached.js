// STORE=memcached://localhost, or several: memcached://one:11211,two:11211.
import { MemcachedStore } from 'coatcheck/stores/memcached'

export const driver = 'coatcheck'
export const advice = 'Is it running? STORE=memcached://host:port names another server.'

/** A store on the servers that `url` names. It closes its connections together with the sessions. */
export async function open(url) {
  const store = new MemcachedStore({ servers: url.slice('memcached://'.length).split(',') })
  // Now and not with the first visitor: a wrong name shows at the start.
  await store.load('is it there?')
  return { store }
}
