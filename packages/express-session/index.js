// coatcheck/express-session under the name that other packages ask for.
const session = require('coatcheck/express-session')

module.exports = session

// Node reads this file to learn what `import { Store }` may ask of it.
module.exports.Cookie = session.Cookie
module.exports.LegacyStore = session.LegacyStore
module.exports.MemoryStore = session.MemoryStore
module.exports.Session = session.Session
module.exports.Store = session.Store
module.exports.session = session
