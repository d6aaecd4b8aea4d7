import { Cookie } from 'coatcheck/express-session'

export = Cookie
