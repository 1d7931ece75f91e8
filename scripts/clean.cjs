// Removes dist, so that a build never ships a file whose source is gone. Runs on any Node.
'use strict'

var fs = require('node:fs')
var path = require('node:path')

fs.rmSync(path.join(__dirname, '..', 'dist'), { recursive: true, force: true })
