-- +goose Up
CREATE TABLE claviger_objects (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT    NOT NULL UNIQUE,
    kind    TEXT    NOT NULL,
    parent  TEXT    NOT NULL,
    owner   TEXT    NOT NULL,
    created INTEGER NOT NULL,
    tokens  INTEGER NOT NULL
) STRICT;
CREATE INDEX claviger_objects_listed ON claviger_objects (owner, kind, created, seq);
CREATE INDEX claviger_objects_children ON claviger_objects (parent, owner) WHERE parent <> '';

CREATE TABLE claviger_ticket_uses (
    id    TEXT    NOT NULL PRIMARY KEY,
    uses  INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX claviger_ticket_uses_until ON claviger_ticket_uses (until);

CREATE TABLE claviger_blocks (
    scope         TEXT NOT NULL,
    name          TEXT NOT NULL,
    until         INTEGER,
    issued_before INTEGER,
    since         INTEGER,
    reason        TEXT NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE claviger_versions (
    of      TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO claviger_versions (of, version) VALUES ('blocks', 1);

-- +goose Down
DROP TABLE claviger_versions;
DROP TABLE claviger_blocks;
DROP TABLE claviger_ticket_uses;
DROP TABLE claviger_objects;
