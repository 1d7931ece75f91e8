// What the kernel writes of a process, word for word, and what it comes to.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryOf, parseSmapsRollup, totalOf } from './process-memory.ts'

/** A node of a swarm under Linux 6. */
const recent = `00400000-7ffe3b5d2000 ---p 00000000 00:00 0                          [rollup]
Rss:              165392 kB
Pss:              104512 kB
Pss_Dirty:         91004 kB
Pss_Anon:          88948 kB
Pss_File:          15564 kB
Pss_Shmem:             0 kB
Shared_Clean:      67112 kB
Shared_Dirty:         32 kB
Private_Clean:      7244 kB
Private_Dirty:     91004 kB
Referenced:       165392 kB
Anonymous:         88948 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:      2048 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:    2048 kB
Swap:                512 kB
SwapPss:             256 kB
Locked:                0 kB
`

/** Linux 4.14, the first with such a file. */
const first = `00400000-7fff1d3ff000 ---p 00000000 00:00 0                          [rollup]
Rss:                1908 kB
Pss:                 135 kB
Shared_Clean:       1816 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:        92 kB
Referenced:         1908 kB
Anonymous:            92 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  4 kB
`

test('of a recent kernel', () => {
  assert.deepEqual(parseSmapsRollup(recent), {
    rssBytes: 165_392 * 1_024,
    pssBytes: 104_512 * 1_024,
    ussBytes: (7_244 + 91_004 + 2_048) * 1_024,
    swapBytes: 256 * 1_024
  })
})

test('of the first kernel that has it, which does not share out what was swapped', () => {
  assert.deepEqual(parseSmapsRollup(first), {
    rssBytes: 1_908 * 1_024,
    pssBytes: 135 * 1_024,
    ussBytes: 92 * 1_024,
    swapBytes: 4 * 1_024
  })
})

test('a text that is none is no process without memory', () => {
  for (const text of ['', 'Rss: many kB\n', 'Rss:       12 kB\n', 'Pss:       12 kB\n']) {
    assert.equal(parseSmapsRollup(text), undefined, JSON.stringify(text))
  }
})

test('what is shared is what is not unique, of what can be added up', () => {
  const one = { rssBytes: 100, pssBytes: 60, ussBytes: 50, swapBytes: 1 }
  const other = { rssBytes: 80, pssBytes: 40, ussBytes: 35, swapBytes: 2 }
  assert.deepEqual(totalOf([one, other]), {
    rssBytes: 180,
    pssBytes: 100,
    ussBytes: 85,
    swapBytes: 3,
    sharedBytes: 15
  })
})

test('of a process that is not there', async () => {
  assert.equal(await memoryOf(0), undefined)
})
