-- +goose Up
CREATE TABLE claviger_usage (
    day          BIGINT NOT NULL,
    pseudonym    TEXT COLLATE "C" NOT NULL,
    realm        TEXT COLLATE "C" NOT NULL,
    plan         TEXT COLLATE "C" NOT NULL,
    endpoint     TEXT COLLATE "C" NOT NULL,
    action       TEXT COLLATE "C" NOT NULL,
    model        TEXT COLLATE "C" NOT NULL,
    currency     TEXT COLLATE "C" NOT NULL,
    calls        BIGINT NOT NULL,
    refused      BIGINT NOT NULL,
    estimated    BIGINT NOT NULL,
    input        BIGINT NOT NULL,
    cached_input BIGINT NOT NULL,
    output       BIGINT NOT NULL,
    reasoning    BIGINT NOT NULL,
    micros       BIGINT NOT NULL,
    PRIMARY KEY (day, pseudonym, realm, plan, endpoint, action, model, currency)
);
CREATE INDEX claviger_usage_pseudonym ON claviger_usage (pseudonym);

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
