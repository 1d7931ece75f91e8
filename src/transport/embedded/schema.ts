// The tables of the log: what must change together, and nothing that can be worked out.

/** Says "a Tailrace log" in the header of a database file ('trlg'). */
export const applicationId = 0x74726c67
/** Raised when an older version could not read what a newer one writes. */
export const formatVersion = 1

// STRICT, because node:sqlite binds every JavaScript number as REAL: an INTEGER column of a
// strict table stores it as an integer or refuses it.
//
// partition: `next` is the offset of the next record; `segment` and `position` are the base of the
//   active segment and its committed end; `indexed` is the last position in the sparse index.
//   Ids are never used again (AUTOINCREMENT), since they name files.
// segment: `next` is NULL while active; `bytes` is the committed end once sealed. `cleanable_at`
//   is NULL until compacted, then the time from which its tombstones may go.
export const logSchema = `
  CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  CREATE TABLE topic(
    name TEXT PRIMARY KEY, id TEXT NOT NULL, replication INTEGER NOT NULL, settings TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE partition(
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, number INTEGER NOT NULL,
    start INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 0,
    segment INTEGER NOT NULL DEFAULT 0, position INTEGER NOT NULL DEFAULT 0,
    indexed INTEGER NOT NULL DEFAULT -1, timestamp_max INTEGER NOT NULL DEFAULT -1,
    UNIQUE(topic, number)
  ) STRICT;
  CREATE TABLE segment(
    partition INTEGER NOT NULL, base INTEGER NOT NULL, generation INTEGER NOT NULL,
    next INTEGER, bytes INTEGER NOT NULL DEFAULT 0, timestamp_max INTEGER NOT NULL DEFAULT -1,
    is_synced INTEGER NOT NULL DEFAULT 0, cleanable_at INTEGER,
    PRIMARY KEY(partition, base)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE sparse(
    partition INTEGER NOT NULL, base INTEGER NOT NULL, offset INTEGER NOT NULL,
    position INTEGER NOT NULL, PRIMARY KEY(partition, base, offset)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE producer(id TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE committed(
    "group" TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
    metadata TEXT NOT NULL, PRIMARY KEY("group", partition)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE "group"(
    id TEXT PRIMARY KEY, generation INTEGER NOT NULL, members TEXT NOT NULL, target TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE owner(
    "group" TEXT NOT NULL, task TEXT NOT NULL, member TEXT NOT NULL, epoch INTEGER NOT NULL,
    PRIMARY KEY("group", task)
  ) STRICT, WITHOUT ROWID;
`

// member is rewritten at each heartbeat, so it is small; what a member joined with stands apart.
export const groupsSchema = `
  CREATE TABLE member(
    "group" TEXT NOT NULL, id TEXT NOT NULL, beat_ms INTEGER NOT NULL, session_ms INTEGER NOT NULL,
    boot TEXT NOT NULL, namespace TEXT NOT NULL, pid INTEGER NOT NULL, incarnation TEXT NOT NULL,
    PRIMARY KEY("group", id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE joined(
    "group" TEXT NOT NULL, id TEXT NOT NULL, topology TEXT NOT NULL, tasks TEXT NOT NULL, url TEXT,
    PRIMARY KEY("group", id)
  ) STRICT, WITHOUT ROWID;
`
