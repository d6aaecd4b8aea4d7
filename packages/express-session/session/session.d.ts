import { Session } from 'coatcheck/express-session'

export = Session
