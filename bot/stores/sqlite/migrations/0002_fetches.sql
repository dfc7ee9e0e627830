-- Messages whose files are still at their platform.

CREATE TABLE fetches (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "not_before" INTEGER
);
CREATE INDEX fetches_by_not_before ON fetches ("not_before");
