-- One table per collection of bot/domain/schema.py: the record as JSON in `body`, beside it what can be asked for.
-- Times are microseconds since 1970 (UTC), truths are 0 and 1. A later version only adds, in a file of its own.

CREATE TABLE customers (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE TABLE identities (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "channel" TEXT,
    "account" TEXT,
    "user" TEXT,
    "customer" TEXT
);
CREATE UNIQUE INDEX identities_by_channel_account_user ON identities ("channel", "account", "user");
CREATE INDEX identities_by_customer ON identities ("customer");

CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "channel" TEXT,
    "account" TEXT,
    "external_id" TEXT,
    "lane" TEXT,
    "seq" INTEGER,
    "state" TEXT,
    "received_at" INTEGER
);
CREATE UNIQUE INDEX events_by_channel_account_external_id ON events ("channel", "account", "external_id");
CREATE INDEX events_by_lane_state_seq ON events ("lane", "state", "seq");
CREATE INDEX events_by_state_received_at ON events ("state", "received_at");

CREATE TABLE messages (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "case" TEXT,
    "customer" TEXT,
    "seq" INTEGER,
    "external_id" TEXT
);
CREATE INDEX messages_by_case_seq ON messages ("case", "seq");
CREATE INDEX messages_by_customer_seq ON messages ("customer", "seq");
CREATE INDEX messages_by_customer_external_id ON messages ("customer", "external_id");

CREATE TABLE cases (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "customer" TEXT,
    "number" INTEGER,
    "state" TEXT,
    "department" TEXT,
    "is_open" INTEGER,
    "owner_id" TEXT,
    "turn" TEXT,
    "due_at" INTEGER,
    "updated_at" INTEGER,
    "opened_at" INTEGER
);
CREATE UNIQUE INDEX cases_by_number ON cases ("number");
CREATE INDEX cases_by_customer_opened_at ON cases ("customer", "opened_at");
CREATE INDEX cases_by_state_opened_at ON cases ("state", "opened_at");
CREATE INDEX cases_by_state_turn ON cases ("state", "turn");
CREATE INDEX cases_by_state_updated_at ON cases ("state", "updated_at");
CREATE INDEX cases_by_department_state_opened_at ON cases ("department", "state", "opened_at");
CREATE INDEX cases_by_owner_id_state ON cases ("owner_id", "state");
CREATE INDEX cases_by_due_at ON cases ("due_at");
CREATE INDEX cases_by_updated_at ON cases ("updated_at");
CREATE UNIQUE INDEX cases_customer_while_is_open ON cases ("customer") WHERE "is_open" = 1;

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "order_key" TEXT,
    "seq" INTEGER,
    "state" TEXT,
    "not_before" INTEGER,
    "case" TEXT,
    "message" TEXT,
    "posting" TEXT,
    "destination" TEXT
);
CREATE INDEX outbox_by_order_key_state_seq ON outbox ("order_key", "state", "seq");
CREATE INDEX outbox_by_state_not_before ON outbox ("state", "not_before");
CREATE INDEX outbox_by_case_state ON outbox ("case", "state");
CREATE INDEX outbox_by_message ON outbox ("message");

CREATE TABLE posted (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "case" TEXT
);
CREATE INDEX posted_by_case ON posted ("case");

CREATE TABLE journal (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "case" TEXT,
    "customer" TEXT,
    "seq" INTEGER,
    "kind" TEXT,
    "channel" TEXT,
    "department" TEXT,
    "at" INTEGER
);
CREATE INDEX journal_by_case_seq ON journal ("case", "seq");
CREATE INDEX journal_by_kind_channel_at ON journal ("kind", "channel", "at");
CREATE INDEX journal_by_department_kind_at ON journal ("department", "kind", "at");

CREATE TABLE feed (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "topic" TEXT,
    "seq" INTEGER,
    "message" TEXT
);
CREATE INDEX feed_by_topic_seq ON feed ("topic", "seq");
CREATE INDEX feed_by_message ON feed ("message");

CREATE TABLE actions (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "case" TEXT,
    "at" INTEGER
);
CREATE INDEX actions_by_at ON actions ("at");

CREATE TABLE labels (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "case" TEXT,
    "message" TEXT,
    "at" INTEGER
);
CREATE INDEX labels_by_at ON labels ("at");
CREATE INDEX labels_by_message ON labels ("message");

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "role" TEXT
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "user" TEXT,
    "expires_at" INTEGER
);
CREATE INDEX sessions_by_user ON sessions ("user");
CREATE INDEX sessions_by_expires_at ON sessions ("expires_at");

CREATE TABLE settings (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE TABLE sequences (
    scope TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
