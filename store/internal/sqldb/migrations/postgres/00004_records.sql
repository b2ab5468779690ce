-- +goose Up
CREATE TABLE claviger_calls (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner        TEXT COLLATE "C" NOT NULL,
    started      BIGINT NOT NULL,
    until        BIGINT NOT NULL,
    duration     BIGINT NOT NULL,
    realm        TEXT COLLATE "C" NOT NULL,
    method       TEXT COLLATE "C" NOT NULL,
    plan         TEXT COLLATE "C" NOT NULL,
    endpoint     TEXT COLLATE "C" NOT NULL,
    action       TEXT COLLATE "C" NOT NULL,
    model        TEXT COLLATE "C" NOT NULL,
    status       BIGINT NOT NULL,
    code         TEXT COLLATE "C" NOT NULL,
    stream       BIGINT NOT NULL,
    estimated    BIGINT NOT NULL,
    input        BIGINT NOT NULL,
    cached_input BIGINT NOT NULL,
    output       BIGINT NOT NULL,
    reasoning    BIGINT NOT NULL,
    image_input  BIGINT NOT NULL,
    audio_input  BIGINT NOT NULL,
    audio_output BIGINT NOT NULL,
    seconds      BIGINT NOT NULL,
    characters   BIGINT NOT NULL,
    tool_calls   BIGINT NOT NULL,
    currency     TEXT COLLATE "C" NOT NULL,
    micros       BIGINT NOT NULL
);
CREATE INDEX claviger_calls_owner ON claviger_calls (owner, started);
CREATE INDEX claviger_calls_until ON claviger_calls (until);
CREATE INDEX claviger_calls_started ON claviger_calls (started);

CREATE TABLE claviger_transcript_keys (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created BIGINT NOT NULL,
    until   BIGINT NOT NULL,
    sealed  BYTEA NOT NULL
);

CREATE TABLE claviger_transcripts (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner   TEXT COLLATE "C" NOT NULL,
    key_id  TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    until   BIGINT NOT NULL,
    sealed  BYTEA NOT NULL
);
CREATE INDEX claviger_transcripts_owner ON claviger_transcripts (owner, created);
CREATE INDEX claviger_transcripts_until ON claviger_transcripts (until);
CREATE INDEX claviger_transcripts_created ON claviger_transcripts (created);

-- +goose Down
DROP TABLE claviger_transcripts;
DROP TABLE claviger_transcript_keys;
DROP TABLE claviger_calls;
