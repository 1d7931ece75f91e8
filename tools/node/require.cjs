// Says in one sentence what to do when the Node that is about to run TypeScript cannot.
// Plain CommonJS in old syntax, because it must run on the very Node that is too old.
'use strict'

var fs = require('fs')
var path = require('path')

var parts = process.versions.node.split('.').map(Number)
var major = parts[0]
var minor = parts[1]
var patch = parts[2]

var isSupported =
  (major === 22 && (minor > 22 || (minor === 22 && patch >= 3))) ||
  (major === 24 && minor >= 15) ||
  major > 24

if (!isSupported) {
  // With its package but without its program, the install ran no scripts; without either, it left
  // out what is optional.
  var isPackageHere = fs.existsSync(path.join(__dirname, '..', '..', 'node_modules', 'node'))
  var cure = isPackageHere
    ? 'npm rebuild node --ignore-scripts=false'
    : 'npm install --include=optional'
  console.error(
    'Tailrace needs Node >=22.22.3 <23 or >=24.15, and this is Node ' +
      process.versions.node +
      ': run `' +
      cure +
      '` (it fetches the Node 24 this repository brings), or install a supported Node.'
  )
  process.exit(1)
}
