-- Desks that tell us what agents do there, answers worth keeping, and what an operator has to mend.

CREATE TABLE desk_events (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "desk" TEXT,
    "external_id" TEXT,
    "lane" TEXT,
    "seq" INTEGER,
    "state" TEXT,
    "received_at" INTEGER
);
CREATE UNIQUE INDEX desk_events_by_desk_external_id ON desk_events ("desk", "external_id");
CREATE INDEX desk_events_by_lane_state_seq ON desk_events ("lane", "state", "seq");
CREATE INDEX desk_events_by_state_received_at ON desk_events ("state", "received_at");

CREATE TABLE saved_answers (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "at" INTEGER
);
CREATE INDEX saved_answers_by_at ON saved_answers ("at");

CREATE TABLE alarms (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    "since" INTEGER
);
CREATE INDEX alarms_by_since ON alarms ("since");
