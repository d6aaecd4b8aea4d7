// The nine names of the members cannot hold data, and programs are told so early.
import { type Session, type SessionManager, session } from 'coatcheck'

const secret = 'a secret of at least thirty-two bytes'

// @ts-expect-error TS2344: whatever a program declares
session<{ id: string; cart: string[] }>({ secret })
// @ts-expect-error TS2344: optional or not
session<{ save?: () => void }>({ secret })
// @ts-expect-error TS2344: the other seven, too
session<{ isNew: 'yes' } | { cookie: string } | { reload: 1 } | { destroy: 1 }>({ secret })
// @ts-expect-error TS2344
session<{ touch: 1 } | { regenerate: 1 } | { update: 1 }>({ secret })

interface Data {
  cart: string[]
}
const sessions: SessionManager<Data> = session<Data>({ secret })
const anything = session<Record<string, unknown>>({ secret })

export async function handle(req: { headers: Record<string, string> }): Promise<string> {
  const current: Session<Data> = sessions.of(req).session
  // @ts-expect-error TS2540
  current.id = 'mine'
  // @ts-expect-error TS2322
  current.save = 'draft'
  // @ts-expect-error TS2540
  current.cookie = 'oatmeal'
  current.cart = ['coat']

  await current.update((data) => {
    data.cart = ['hat']
    // @ts-expect-error TS2540
    data.id = 'mine'
  })
  await anything.of(req).session.update((data) => {
    data.anything = 1
    // @ts-expect-error TS2540
    data.isNew = true
  })
  await sessions.issue({ cart: ['hat'] })
  // @ts-expect-error TS2322
  await sessions.issue({ cart: [], id: 'mine' })
  await anything.issue({ anything: 1 })
  // @ts-expect-error TS2322
  await anything.issue({ anything: 1, update: 'now' })
  return current.id.toUpperCase()
}

/** What was declared before, or by somebody else, cannot hide a member. */
export function hidden(current: Session<{ id: 42; isNew: 'yes'; cookie: string }>): string {
  if (current.isNew === true) console.log(current.cookie.maxAge)
  return current.id.toUpperCase()
}
