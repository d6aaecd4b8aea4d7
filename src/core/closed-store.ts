import { closed } from './refusals.js'
import { can, type Store } from './store.js'

/** How many keepers of this process work with a store: two `session()`s may share one. */
const sharers = new WeakMap<Store, number>()

/** Another keeper works with `store`. */
export function shareStore(store: Store): void {
  sharers.set(store, (sharers.get(store) ?? 0) + 1)
}

/** A keeper is done with `store`; the last one closes what the store itself has opened. */
export async function leaveStore(store: Store): Promise<void> {
  const left = (sharers.get(store) ?? 1) - 1
  sharers.set(store, left)
  if (left === 0 && can(store, 'close')) await store.close()
}

function refuse(): never {
  throw closed()
}

/** Takes the place of the store once its manager is closed. */
export const CLOSED_STORE: Store = {
  load: refuse,
  create: refuse,
  replace: refuse,
  touch: refuse,
  destroy: refuse,
}
