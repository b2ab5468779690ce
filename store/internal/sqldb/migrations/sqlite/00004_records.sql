-- +goose Up
CREATE TABLE claviger_calls (
    id           TEXT NOT NULL PRIMARY KEY,
    owner        TEXT NOT NULL,
    started      INTEGER NOT NULL,
    until        INTEGER NOT NULL,
    duration     INTEGER NOT NULL,
    realm        TEXT NOT NULL,
    method       TEXT NOT NULL,
    plan         TEXT NOT NULL,
    endpoint     TEXT NOT NULL,
    action       TEXT NOT NULL,
    model        TEXT NOT NULL,
    status       INTEGER NOT NULL,
    code         TEXT NOT NULL,
    stream       INTEGER NOT NULL,
    estimated    INTEGER NOT NULL,
    input        INTEGER NOT NULL,
    cached_input INTEGER NOT NULL,
    output       INTEGER NOT NULL,
    reasoning    INTEGER NOT NULL,
    image_input  INTEGER NOT NULL,
    audio_input  INTEGER NOT NULL,
    audio_output INTEGER NOT NULL,
    seconds      INTEGER NOT NULL,
    characters   INTEGER NOT NULL,
    tool_calls   INTEGER NOT NULL,
    currency     TEXT NOT NULL,
    micros       INTEGER NOT NULL
) STRICT;
CREATE INDEX claviger_calls_owner ON claviger_calls (owner, started);
CREATE INDEX claviger_calls_until ON claviger_calls (until);
CREATE INDEX claviger_calls_started ON claviger_calls (started);

CREATE TABLE claviger_transcript_keys (
    id      TEXT NOT NULL PRIMARY KEY,
    created INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    sealed  BLOB NOT NULL
) STRICT;

CREATE TABLE claviger_transcripts (
    id      TEXT NOT NULL PRIMARY KEY,
    owner   TEXT NOT NULL,
    key_id  TEXT NOT NULL,
    created INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    sealed  BLOB NOT NULL
) STRICT;
CREATE INDEX claviger_transcripts_owner ON claviger_transcripts (owner, created);
CREATE INDEX claviger_transcripts_until ON claviger_transcripts (until);
CREATE INDEX claviger_transcripts_created ON claviger_transcripts (created);

-- +goose Down
DROP TABLE claviger_transcripts;
DROP TABLE claviger_transcript_keys;
DROP TABLE claviger_calls;
