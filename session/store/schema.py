"""The tables of the store, version by version. A version that was released is never edited; a new one is added."""

from __future__ import annotations

#: "qsim" in ASCII: says to SQLite and to `file` whose database this is.
APPLICATION_ID = 0x7173696D

_VERSION_1 = """
CREATE TABLE program(
  sha256  TEXT PRIMARY KEY CHECK (length(sha256) = 64),
  text    TEXT NOT NULL
) STRICT;

CREATE TABLE job(
  number        INTEGER PRIMARY KEY,
  id            TEXT NOT NULL UNIQUE CHECK (length(id) = 36),
  kind          TEXT NOT NULL,
  batched       INTEGER NOT NULL CHECK (batched IN (0, 1)),
  status        TEXT NOT NULL CHECK (status IN
                  ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLING', 'CANCELLED', 'SUBMIT_UNKNOWN')),
  program       TEXT NOT NULL REFERENCES program(sha256),
  spec          TEXT NOT NULL,
  spec_sha256   TEXT NOT NULL CHECK (length(spec_sha256) = 64),
  created_ns    INTEGER NOT NULL,
  started_ns    INTEGER,
  ended_ns      INTEGER,
  backend       TEXT NOT NULL,
  provider      TEXT NOT NULL,
  num_shots     INTEGER,
  session       TEXT,
  owner         TEXT,
  fence         INTEGER NOT NULL DEFAULT 0,
  attempts      INTEGER NOT NULL DEFAULT 0,
  progress      REAL NOT NULL DEFAULT 0,
  result        TEXT,
  result_file   TEXT,
  result_size   INTEGER,
  result_sha256 TEXT,
  error         TEXT,
  engine        TEXT NOT NULL,
  CHECK (result_file IS NULL OR result IS NULL),
  CHECK (status <> 'COMPLETED' OR result_sha256 IS NOT NULL)
) STRICT;
CREATE INDEX job_open ON job(status) WHERE status IN ('QUEUED', 'RUNNING', 'CANCELLING');

CREATE TABLE event(
  seq     INTEGER PRIMARY KEY,
  job     INTEGER NOT NULL REFERENCES job(number) ON DELETE CASCADE,
  at_ns   INTEGER NOT NULL,
  before  TEXT,
  after   TEXT NOT NULL,
  actor   TEXT,
  note    TEXT
) STRICT;
CREATE INDEX event_job ON event(job);

CREATE TRIGGER job_final BEFORE UPDATE ON job
WHEN OLD.status IN ('COMPLETED', 'FAILED', 'CANCELLED')
BEGIN SELECT RAISE(ABORT, 'a job that has ended never changes'); END;

CREATE TRIGGER job_spec BEFORE UPDATE OF id, kind, batched, program, spec, spec_sha256, created_ns ON job
BEGIN SELECT RAISE(ABORT, 'what a job runs never changes'); END;
"""

_VERSION_2 = """
ALTER TABLE job ADD COLUMN target TEXT;      -- the device, for jobs that run elsewhere
ALTER TABLE job ADD COLUMN profile TEXT;     -- which configured access to use; never a credential
ALTER TABLE job ADD COLUMN client_ref TEXT;  -- what we call it there, written before it is sent
ALTER TABLE job ADD COLUMN remote_ref TEXT;  -- what they call it
CREATE UNIQUE INDEX job_client_ref ON job(client_ref) WHERE client_ref IS NOT NULL;
"""

_VERSION_3 = """
-- The columns of version 2 held one task a job and were never filled; a job may send several, so they have a table.
DROP INDEX job_client_ref;
ALTER TABLE job DROP COLUMN target;
ALTER TABLE job DROP COLUMN profile;
ALTER TABLE job DROP COLUMN client_ref;
ALTER TABLE job DROP COLUMN remote_ref;
ALTER TABLE job ADD COLUMN remote INTEGER NOT NULL DEFAULT 0 CHECK (remote IN (0, 1));

CREATE TABLE submission(
  job            INTEGER NOT NULL REFERENCES job(number) ON DELETE CASCADE,
  part           INTEGER NOT NULL,     -- of the tasks that the job sends, in their order
  task_sha256    TEXT NOT NULL CHECK (length(task_sha256) = 64),
  client_ref     TEXT NOT NULL UNIQUE, -- what we call it there, durable before it is sent
  idempotency    TEXT NOT NULL CHECK (idempotency IN ('token', 'client_id', 'search', 'none')),
  endpoint       TEXT NOT NULL,        -- the origin that it is sent to; never a credential
  target         TEXT NOT NULL,
  profile        TEXT NOT NULL,
  payload        BLOB NOT NULL,
  payload_sha256 TEXT NOT NULL CHECK (length(payload_sha256) = 64),
  about          TEXT NOT NULL,        -- what else the reply is decoded with
  intended_ns    INTEGER NOT NULL,
  remote_ref     TEXT,                 -- what they call it
  state          TEXT,                 -- where they said it was, in our word and in theirs
  word           TEXT,
  message        TEXT,
  queue_position INTEGER,
  asked_ns       INTEGER,
  reply          BLOB,                 -- their answer as it came, stored before it is decoded
  reply_file     TEXT,
  reply_type     TEXT,
  reply_size     INTEGER,
  reply_sha256   TEXT,
  PRIMARY KEY (job, part),
  CHECK (reply IS NULL OR reply_file IS NULL)
) STRICT;

CREATE TRIGGER submission_sent BEFORE UPDATE ON submission
WHEN OLD.remote_ref IS NOT NULL AND NEW.remote_ref IS NOT OLD.remote_ref
BEGIN SELECT RAISE(ABORT, 'a task is sent once'); END;

CREATE TRIGGER submission_reply BEFORE UPDATE OF reply, reply_file, reply_sha256 ON submission
WHEN OLD.reply_sha256 IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a reply is stored once'); END;
"""

_VERSION_4 = """
-- How long a service expects a task to take. The table is made anew: some stores of version 3 have the column already.
CREATE TABLE submission_4(
  job            INTEGER NOT NULL REFERENCES job(number) ON DELETE CASCADE,
  part           INTEGER NOT NULL,     -- of the tasks that the job sends, in their order
  task_sha256    TEXT NOT NULL CHECK (length(task_sha256) = 64),
  client_ref     TEXT NOT NULL UNIQUE, -- what we call it there, durable before it is sent
  idempotency    TEXT NOT NULL CHECK (idempotency IN ('token', 'client_id', 'search', 'none')),
  endpoint       TEXT NOT NULL,        -- the origin that it is sent to; never a credential
  target         TEXT NOT NULL,
  profile        TEXT NOT NULL,
  payload        BLOB NOT NULL,
  payload_sha256 TEXT NOT NULL CHECK (length(payload_sha256) = 64),
  about          TEXT NOT NULL,        -- what else the reply is decoded with
  intended_ns    INTEGER NOT NULL,
  remote_ref     TEXT,                 -- what they call it
  state          TEXT,                 -- where they said it was, in our word and in theirs
  word           TEXT,
  message        TEXT,
  queue_position INTEGER,
  eta_sec        REAL,
  asked_ns       INTEGER,
  reply          BLOB,                 -- their answer as it came, stored before it is decoded
  reply_file     TEXT,
  reply_type     TEXT,
  reply_size     INTEGER,
  reply_sha256   TEXT,
  PRIMARY KEY (job, part),
  CHECK (reply IS NULL OR reply_file IS NULL)
) STRICT;

INSERT INTO submission_4(
  job, part, task_sha256, client_ref, idempotency, endpoint, target, profile, payload,
  payload_sha256, about, intended_ns, remote_ref, state, word, message, queue_position, asked_ns,
  reply, reply_file, reply_type, reply_size, reply_sha256
) SELECT
  job, part, task_sha256, client_ref, idempotency, endpoint, target, profile, payload,
  payload_sha256, about, intended_ns, remote_ref, state, word, message, queue_position, asked_ns,
  reply, reply_file, reply_type, reply_size, reply_sha256
FROM submission;
DROP TABLE submission;
ALTER TABLE submission_4 RENAME TO submission;

CREATE TRIGGER submission_sent BEFORE UPDATE ON submission
WHEN OLD.remote_ref IS NOT NULL AND NEW.remote_ref IS NOT OLD.remote_ref
BEGIN SELECT RAISE(ABORT, 'a task is sent once'); END;

CREATE TRIGGER submission_reply BEFORE UPDATE OF reply, reply_file, reply_sha256 ON submission
WHEN OLD.reply_sha256 IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a reply is stored once'); END;
"""

#: Scripts that lead from each version to the next; version k is the first k of them.
MIGRATIONS = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)
VERSION = len(MIGRATIONS)
