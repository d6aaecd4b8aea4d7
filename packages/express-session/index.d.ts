import session = require('coatcheck/express-session')

export = session
