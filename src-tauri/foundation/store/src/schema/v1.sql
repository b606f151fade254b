-- Times are unix milliseconds. Columns named json, settings, tools and file hold JSON text.

CREATE TABLE settings (
    key  TEXT PRIMARY KEY,
    json TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE endpoints (
    id       TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    json     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE servers (
    id       TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    json     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What a list shows is counted here as messages come in, so that a list reads no message.
CREATE TABLE traces (
    key              INTEGER PRIMARY KEY,
    id               TEXT    NOT NULL UNIQUE,
    title            TEXT    NOT NULL,
    model            TEXT    NOT NULL,
    state            TEXT    NOT NULL,
    origin           TEXT    NOT NULL,
    created_at_ms    INTEGER NOT NULL,
    updated_at_ms    INTEGER NOT NULL,
    steps            INTEGER NOT NULL DEFAULT 0,
    messages         INTEGER NOT NULL DEFAULT 0,
    estimated_tokens INTEGER NOT NULL DEFAULT 0,
    -- Of the last answer, as the endpoint counted it; NULL where it did not.
    counted_tokens   INTEGER,
    batch_id         TEXT,
    -- NULL when imported.
    settings         TEXT,
    tools            TEXT    NOT NULL,
    -- The fields of an imported file, in order; "messages" and a list of "tools" are empty in it.
    file             TEXT,
    ending           TEXT
) STRICT;

CREATE INDEX traces_by_time ON traces (created_at_ms);
CREATE INDEX traces_by_state ON traces (state);
-- For the rows that titles have in the full-text index.
CREATE INDEX traces_by_title_row ON traces (-key);

-- The tools that were called, each once.
CREATE TABLE used_tools (
    trace    INTEGER NOT NULL REFERENCES traces (key) ON DELETE CASCADE,
    name     TEXT    NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (trace, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX used_tools_by_name ON used_tools (name);

CREATE TABLE messages (
    key         INTEGER PRIMARY KEY,
    trace       INTEGER NOT NULL REFERENCES traces (key) ON DELETE CASCADE,
    seq         INTEGER NOT NULL,
    role        TEXT    NOT NULL,
    -- The message's JSON as it was captured.
    body        TEXT    NOT NULL,
    -- The message as a person corrected it before it was acted on.
    amended     TEXT,
    step        INTEGER NOT NULL,
    saved_at_ms INTEGER NOT NULL,
    tokens      INTEGER NOT NULL,
    UNIQUE (trace, seq)
) STRICT;

CREATE TRIGGER messages_are_immutable
BEFORE UPDATE OF key, trace, seq, role, body, step, saved_at_ms ON messages
BEGIN
    SELECT raise(ABORT, 'a captured message is never changed');
END;

CREATE TRIGGER messages_go_with_their_trace
BEFORE DELETE ON messages
WHEN EXISTS (SELECT 1 FROM traces WHERE key = OLD.trace)
BEGIN
    SELECT raise(ABORT, 'a captured message is removed only with its trace');
END;

CREATE TABLE steps (
    trace INTEGER NOT NULL REFERENCES traces (key) ON DELETE CASCADE,
    step  INTEGER NOT NULL,
    json  TEXT    NOT NULL,
    PRIMARY KEY (trace, step)
) STRICT, WITHOUT ROWID;

-- Keyed by place: some models give the same id to calls of different answers.
CREATE TABLE calls (
    trace   INTEGER NOT NULL REFERENCES traces (key) ON DELETE CASCADE,
    step    INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    call_id TEXT    NOT NULL,
    phase   TEXT    NOT NULL,
    json    TEXT    NOT NULL,
    PRIMARY KEY (trace, step, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX calls_by_id ON calls (trace, call_id);
CREATE INDEX open_calls ON calls (phase) WHERE phase IN ('waiting', 'running');

-- Whole tool outputs, part by part.
CREATE TABLE outputs (
    key   INTEGER PRIMARY KEY,
    trace INTEGER NOT NULL REFERENCES traces (key) ON DELETE CASCADE,
    step  INTEGER NOT NULL,
    place INTEGER NOT NULL,
    part  INTEGER NOT NULL,
    -- text | linked_file | media | media_text (base64 that would not be the same when written again) | other
    kind  TEXT    NOT NULL,
    -- The MIME type of media, the path of a linked file.
    label TEXT    NOT NULL,
    body  BLOB    NOT NULL,
    UNIQUE (trace, step, place, part)
) STRICT;

-- What the full-text index is made of: a row per message, and under the negated key of each trace its title.
-- FTS5's own "rebuild" does not take a view with json_each; 'delete-all' and an INSERT ... SELECT do the same.
CREATE VIEW texts (row, title, text, reasoning, tools) AS
SELECT
    key,
    '',
    CASE json_type(doc, '$.content')
        WHEN 'text' THEN json_extract(doc, '$.content')
        WHEN 'array' THEN coalesce((
            SELECT group_concat(json_extract(part.value, '$.text'), char(10))
            FROM json_each(doc, '$.content') AS part
            WHERE part.type = 'object' AND json_type(part.value, '$.text') = 'text'
        ), '')
        ELSE ''
    END,
    CASE
        WHEN json_type(doc, '$.reasoning_content') = 'text' THEN json_extract(doc, '$.reasoning_content')
        WHEN json_type(doc, '$.reasoning') = 'text' THEN json_extract(doc, '$.reasoning')
        ELSE ''
    END,
    CASE json_type(doc, '$.tool_calls')
        WHEN 'array' THEN coalesce((
            SELECT group_concat(
                coalesce(json_extract(call.value, '$.function.name'), '') || ' '
                || coalesce(json_extract(call.value, '$.function.arguments'), ''),
                char(10)
            )
            FROM json_each(doc, '$.tool_calls') AS call
            WHERE call.type = 'object'
        ), '')
        ELSE ''
    END
FROM (SELECT key, coalesce(amended, body) AS doc FROM messages)
UNION ALL
SELECT -key, title, '', '', '' FROM traces;

CREATE VIRTUAL TABLE search USING fts5 (
    title, text, reasoning, tools,
    content = 'texts',
    content_rowid = 'row',
    tokenize = "unicode61 remove_diacritics 2"
);

CREATE TRIGGER search_gets_a_message AFTER INSERT ON messages
BEGIN
    INSERT INTO search (rowid, title, text, reasoning, tools)
    SELECT row, title, text, reasoning, tools FROM texts WHERE row = NEW.key;
END;

CREATE TRIGGER search_loses_a_message_before_it_is_amended BEFORE UPDATE OF amended ON messages
BEGIN
    INSERT INTO search (search, rowid, title, text, reasoning, tools)
    SELECT 'delete', row, title, text, reasoning, tools FROM texts WHERE row = OLD.key;
END;

CREATE TRIGGER search_gets_an_amended_message AFTER UPDATE OF amended ON messages
BEGIN
    INSERT INTO search (rowid, title, text, reasoning, tools)
    SELECT row, title, text, reasoning, tools FROM texts WHERE row = NEW.key;
END;

CREATE TRIGGER search_loses_a_message BEFORE DELETE ON messages
BEGIN
    INSERT INTO search (search, rowid, title, text, reasoning, tools)
    SELECT 'delete', row, title, text, reasoning, tools FROM texts WHERE row = OLD.key;
END;

CREATE TRIGGER search_gets_a_title AFTER INSERT ON traces
BEGIN
    INSERT INTO search (rowid, title, text, reasoning, tools) VALUES (-NEW.key, NEW.title, '', '', '');
END;

CREATE TRIGGER search_changes_a_title AFTER UPDATE OF title ON traces
BEGIN
    INSERT INTO search (search, rowid, title, text, reasoning, tools)
    VALUES ('delete', -OLD.key, OLD.title, '', '', '');
    INSERT INTO search (rowid, title, text, reasoning, tools) VALUES (-NEW.key, NEW.title, '', '', '');
END;

CREATE TRIGGER search_loses_a_title AFTER DELETE ON traces
BEGIN
    INSERT INTO search (search, rowid, title, text, reasoning, tools)
    VALUES ('delete', -OLD.key, OLD.title, '', '', '');
END;
