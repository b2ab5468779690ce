-- +goose Up
CREATE TABLE claviger_usage (
    at           BIGINT NOT NULL,
    pseudonym    TEXT COLLATE "C" NOT NULL,
    realm        TEXT COLLATE "C" NOT NULL,
    method       TEXT COLLATE "C" NOT NULL,
    plan         TEXT COLLATE "C" NOT NULL,
    endpoint     TEXT COLLATE "C" NOT NULL,
    action       TEXT COLLATE "C" NOT NULL,
    model        TEXT COLLATE "C" NOT NULL,
    status       BIGINT NOT NULL,
    code         TEXT COLLATE "C" NOT NULL,
    input        BIGINT NOT NULL,
    cached_input BIGINT NOT NULL,
    output       BIGINT NOT NULL,
    reasoning    BIGINT NOT NULL,
    micros       BIGINT NOT NULL,
    currency     TEXT COLLATE "C" NOT NULL,
    estimated    BIGINT NOT NULL,
    caller_gone  BIGINT NOT NULL
);
CREATE INDEX claviger_usage_at ON claviger_usage (at);
CREATE INDEX claviger_usage_pseudonym ON claviger_usage (pseudonym, at);

CREATE TABLE claviger_windows (
    name     BYTEA NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL,
    per      BIGINT NOT NULL,
    zone     TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    drained  BIGINT NOT NULL,
    num      BIGINT NOT NULL,
    den      BIGINT NOT NULL,
    starts   BIGINT NOT NULL,
    ends     BIGINT NOT NULL,
    used     BIGINT NOT NULL,
    held     BIGINT NOT NULL,
    most     BIGINT NOT NULL,
    PRIMARY KEY (name, kind, per, zone, currency)
);

-- +goose Down
DROP TABLE claviger_windows;
DROP TABLE claviger_usage;
