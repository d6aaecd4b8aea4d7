// CommonJS beside ES modules in one program: both builds of the package, and no duplicate.
import coatcheck = require('coatcheck')
import express = require('express')

const app = express()
app.use(coatcheck.session({ secret: 'a secret of at least thirty-two bytes' }))
app.get('/', (req, res) => res.send(req.session.id))
