// The nine names of the members cannot hold data, whatever a program declares.
import { session } from 'coatcheck'

const sessions = session<{
  id: string
  isNew: 'yes'
  save: string
  cookie: string
  cart: string[]
}>({
  secret: 'a secret of at least thirty-two bytes',
})

export function handle(req: object): string {
  const current = sessions.of(req).session
  // @ts-expect-error TS2540
  current.id = 'mine'
  // @ts-expect-error TS2322
  current.save = 'draft'
  // @ts-expect-error TS2540
  current.cookie = 'oatmeal'
  current.cart = ['coat']
  if (current.isNew === true) console.log(current.cookie.maxAge)
  return current.id.toUpperCase()
}
