import { Store } from 'coatcheck/express-session'

export = Store
