-- Versions of datasets. What they are made of lies in the workspace's folder `datasets/<id>`; this is the list of them.
CREATE TABLE datasets (
    -- SHA-256 over what the version is made of, in hex.
    id          TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    built_at_ms INTEGER NOT NULL,
    -- As lists show it.
    json        TEXT    NOT NULL
) STRICT;

CREATE INDEX datasets_by_age ON datasets (built_at_ms);
