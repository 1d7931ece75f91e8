// Unit tests of file-system-type.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileSystemType } from './file-system-type.ts'

test('names local file systems', () => {
  assert.deepEqual(fileSystemType(0xef53), { name: 'ext', isNetwork: false })
  assert.deepEqual(fileSystemType(0x01021994), { name: 'tmpfs', isNetwork: false })
  assert.deepEqual(fileSystemType(0x794c7630), { name: 'overlay', isNetwork: false })
})

test('names network file systems', () => {
  assert.deepEqual(fileSystemType(0x6969), { name: 'nfs', isNetwork: true })
  assert.deepEqual(fileSystemType(0xff534d42), { name: 'cifs', isNetwork: true })
})

test('reads the negative numbers of a 32-bit system', () => {
  assert.deepEqual(fileSystemType(0xff534d42 | 0), { name: 'cifs', isNetwork: true })
  assert.deepEqual(fileSystemType(0x9123683e | 0), { name: 'btrfs', isNetwork: false })
})

test('an unknown number is shown and not refused', () => {
  assert.deepEqual(fileSystemType(0), { name: '0x0', isNetwork: false })
  assert.deepEqual(fileSystemType(0x1a), { name: '0x1a', isNetwork: false })
})
