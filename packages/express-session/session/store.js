module.exports = require('coatcheck/express-session').Store
