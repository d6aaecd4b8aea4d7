module.exports = require('coatcheck/express-session').Session
