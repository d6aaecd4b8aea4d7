// The half of that program which is an ES module.
import session from 'coatcheck/express-session'

export const middleware = session({ secret: 'a secret', store: new session.MemoryStore() })
