module.exports = require('coatcheck/express-session').MemoryStore
