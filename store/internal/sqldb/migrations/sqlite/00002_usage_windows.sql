-- +goose Up
CREATE TABLE claviger_usage (
    day          INTEGER NOT NULL,
    pseudonym    TEXT NOT NULL,
    realm        TEXT NOT NULL,
    plan         TEXT NOT NULL,
    endpoint     TEXT NOT NULL,
    action       TEXT NOT NULL,
    model        TEXT NOT NULL,
    currency     TEXT NOT NULL,
    calls        INTEGER NOT NULL,
    refused      INTEGER NOT NULL,
    estimated    INTEGER NOT NULL,
    input        INTEGER NOT NULL,
    cached_input INTEGER NOT NULL,
    output       INTEGER NOT NULL,
    reasoning    INTEGER NOT NULL,
    micros       INTEGER NOT NULL,
    PRIMARY KEY (day, pseudonym, realm, plan, endpoint, action, model, currency)
) STRICT, WITHOUT ROWID;
CREATE INDEX claviger_usage_pseudonym ON claviger_usage (pseudonym);

CREATE TABLE claviger_windows (
    name     BLOB NOT NULL,
    kind     TEXT NOT NULL,
    per      INTEGER NOT NULL,
    zone     TEXT NOT NULL,
    currency TEXT NOT NULL,
    drained  INTEGER NOT NULL,
    num      INTEGER NOT NULL,
    den      INTEGER NOT NULL,
    starts   INTEGER NOT NULL,
    ends     INTEGER NOT NULL,
    used     INTEGER NOT NULL,
    held     INTEGER NOT NULL,
    most     INTEGER NOT NULL,
    PRIMARY KEY (name, kind, per, zone, currency)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE claviger_windows;
DROP TABLE claviger_usage;
