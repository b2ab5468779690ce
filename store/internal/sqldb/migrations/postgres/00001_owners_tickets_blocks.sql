-- +goose Up
CREATE TABLE claviger_objects (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY,
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind    TEXT COLLATE "C" NOT NULL,
    parent  TEXT COLLATE "C" NOT NULL,
    owner   TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    tokens  BIGINT NOT NULL
);
CREATE INDEX claviger_objects_listed ON claviger_objects (owner, kind, created, seq);
CREATE INDEX claviger_objects_children ON claviger_objects (parent, owner) WHERE parent <> '';

CREATE TABLE claviger_ticket_uses (
    id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    uses  BIGINT NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX claviger_ticket_uses_until ON claviger_ticket_uses (until);

CREATE TABLE claviger_blocks (
    scope         TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    until         BIGINT,
    issued_before BIGINT,
    since         BIGINT,
    reason        TEXT NOT NULL,
    PRIMARY KEY (scope, name)
);

CREATE TABLE claviger_versions (
    of      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO claviger_versions (of, version) VALUES ('blocks', 1);

-- +goose Down
DROP TABLE claviger_versions;
DROP TABLE claviger_blocks;
DROP TABLE claviger_ticket_uses;
DROP TABLE claviger_objects;
