module.exports = require('coatcheck/express-session').Cookie
