# SPDX-License-Identifier: Apache-2.0
"""The versions of the ledger's tables: what the database itself refuses, whatever a program does.

What was released is never changed: a later change is a step of its own.
"""

from fpga_regions.ledger import fifth_version

_FIRST = """
CREATE TABLE regions (
    id TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    device TEXT NOT NULL,
    slot INTEGER NOT NULL,
    board TEXT NOT NULL,
    part TEXT NOT NULL,
    interface TEXT,
    kinds TEXT NOT NULL,
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    present INTEGER NOT NULL CHECK (present IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN (
        'free', 'firmware request', 'write', 'programmed', 'reset', 'quarantined')),
    since TEXT NOT NULL,
    owner TEXT,
    image_id TEXT,
    function TEXT,
    digest TEXT,
    nodes TEXT NOT NULL,
    UNIQUE (driver, device, slot),
    CHECK (state NOT IN ('free', 'quarantined') OR owner IS NULL),
    CHECK (state != 'free' OR (image_id IS NULL AND function IS NULL AND digest IS NULL)),
    CHECK (state != 'programmed'
        OR (image_id IS NOT NULL AND function IS NOT NULL AND digest IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX one_region_per_owner ON regions (owner) WHERE owner IS NOT NULL;

CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    region_id TEXT NOT NULL REFERENCES regions (id),
    state TEXT NOT NULL,
    owner TEXT,
    image_id TEXT,
    note TEXT NOT NULL
) STRICT;

CREATE INDEX events_of_owner ON events (owner, region_id);

CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT RAISE (ABORT, 'events are never changed'); END;

CREATE TRIGGER events_are_kept BEFORE DELETE ON events
BEGIN SELECT RAISE (ABORT, 'events are never removed'); END;
"""

# A bitstream from a file has no image id; a configuration can be marked as lost; an event tells the
# state before it and the digest, and the oldest of a region may go. SQLite cannot change a CHECK,
# so that the table is made anew (https://www.sqlite.org/lang_altertable.html, section 7); its rows
# keep their order, which is the order in which regions are given out.
_SECOND = """
CREATE TABLE regions_made_anew (
    id TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    device TEXT NOT NULL,
    slot INTEGER NOT NULL,
    board TEXT NOT NULL,
    part TEXT NOT NULL,
    interface TEXT,
    kinds TEXT NOT NULL,
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    present INTEGER NOT NULL CHECK (present IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN (
        'free', 'firmware request', 'write', 'programmed', 'reset', 'quarantined')),
    since TEXT NOT NULL,
    owner TEXT,
    image_id TEXT,
    function TEXT,
    digest TEXT,
    nodes TEXT NOT NULL,
    lost TEXT,
    UNIQUE (driver, device, slot),
    CHECK (state NOT IN ('free', 'quarantined') OR owner IS NULL),
    CHECK (state != 'free' OR (image_id IS NULL AND function IS NULL AND digest IS NULL)),
    CHECK (state != 'programmed' OR (function IS NOT NULL AND digest IS NOT NULL)),
    CHECK (state = 'programmed' OR lost IS NULL)
) STRICT;

INSERT INTO regions_made_anew (rowid, id, driver, device, slot, board, part, interface, kinds,
    simulated, present, state, since, owner, image_id, function, digest, nodes)
SELECT rowid, id, driver, device, slot, board, part, interface, kinds,
    simulated, present, state, since, owner, image_id, function, digest, nodes FROM regions;

DROP TABLE regions;

ALTER TABLE regions_made_anew RENAME TO regions;

CREATE UNIQUE INDEX one_region_per_owner ON regions (owner) WHERE owner IS NOT NULL;

ALTER TABLE events ADD COLUMN before TEXT;

ALTER TABLE events ADD COLUMN digest TEXT;

CREATE INDEX events_of_region ON events (region_id, sequence);

DROP TRIGGER events_are_kept;

CREATE TRIGGER oldest_events_go_first BEFORE DELETE ON events
WHEN EXISTS (SELECT 1 FROM events
    WHERE region_id = OLD.region_id AND sequence < OLD.sequence)
BEGIN SELECT RAISE (ABORT, 'only the oldest event of a region is ever removed'); END;

CREATE TRIGGER last_event_stays BEFORE DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM events
    WHERE region_id = OLD.region_id AND sequence > OLD.sequence)
BEGIN SELECT RAISE (ABORT, 'the last event of a region is never removed'); END;
"""

# An owner holds several regions, told apart by a number; a region in quarantine tells who put it
# there; a free one may be kept warm, and then remembers, as JSON, what it holds; a card may tell
# its vendor. What is in quarantine already may be there for an operator's reason.
_THIRD = """
CREATE TABLE regions_made_anew (
    id TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    device TEXT NOT NULL,
    slot INTEGER NOT NULL,
    vendor TEXT,
    board TEXT NOT NULL,
    part TEXT NOT NULL,
    interface TEXT,
    kinds TEXT NOT NULL,
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    present INTEGER NOT NULL CHECK (present IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN (
        'free', 'firmware request', 'write', 'programmed', 'reset', 'quarantined')),
    since TEXT NOT NULL,
    owner TEXT,
    number INTEGER CHECK (number BETWEEN 1 AND 6),
    image_id TEXT,
    function TEXT,
    digest TEXT,
    nodes TEXT NOT NULL,
    lost TEXT,
    quarantine TEXT CHECK (quarantine IN ('operator', 'erase')),
    warm TEXT,
    UNIQUE (driver, device, slot),
    CHECK ((owner IS NULL) = (number IS NULL)),
    CHECK (state NOT IN ('free', 'quarantined') OR owner IS NULL),
    CHECK (state != 'free' OR (image_id IS NULL AND function IS NULL AND digest IS NULL)),
    CHECK (state != 'programmed' OR (function IS NOT NULL AND digest IS NOT NULL)),
    CHECK (state = 'programmed' OR lost IS NULL),
    CHECK ((state = 'quarantined') = (quarantine IS NOT NULL)),
    CHECK (state IN ('free', 'firmware request') OR warm IS NULL)
) STRICT;

INSERT INTO regions_made_anew (rowid, id, driver, device, slot, board, part, interface, kinds,
    simulated, present, state, since, owner, number, image_id, function, digest, nodes, lost,
    quarantine)
SELECT rowid, id, driver, device, slot, board, part, interface, kinds,
    simulated, present, state, since, owner, CASE WHEN owner IS NULL THEN NULL ELSE 1 END,
    image_id, function, digest, nodes, lost,
    CASE state WHEN 'quarantined' THEN 'operator' END FROM regions;

DROP TABLE regions;

ALTER TABLE regions_made_anew RENAME TO regions;

CREATE UNIQUE INDEX one_region_per_number ON regions (owner, number) WHERE owner IS NOT NULL;
"""

# A region that was handed out stays its owner's, in quarantine too, until somebody who knows
# reports that no guest has its nodes. What a previous release programmed for an owner was handed
# out; what it was at work on may have been. Its quarantine forgot the owner and the number. Events
# since the region was free name the owner, whose first number that is left it gets: that release
# may have burnt another region for the same number meanwhile. Where events do not reach back to
# that, nobody knows whether a guest has it: only an operator may release it.
_FOURTH = """
CREATE TABLE regions_made_anew (
    id TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    device TEXT NOT NULL,
    slot INTEGER NOT NULL,
    vendor TEXT,
    board TEXT NOT NULL,
    part TEXT NOT NULL,
    interface TEXT,
    kinds TEXT NOT NULL,
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    present INTEGER NOT NULL CHECK (present IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN (
        'free', 'firmware request', 'write', 'programmed', 'reset', 'quarantined')),
    since TEXT NOT NULL,
    owner TEXT,
    number INTEGER CHECK (number BETWEEN 1 AND 6),
    handed_out TEXT,
    image_id TEXT,
    function TEXT,
    digest TEXT,
    nodes TEXT NOT NULL,
    lost TEXT,
    quarantine TEXT CHECK (quarantine IN ('operator', 'erase')),
    warm TEXT,
    UNIQUE (driver, device, slot),
    CHECK ((owner IS NULL) = (number IS NULL)),
    CHECK (handed_out IS NULL OR owner IS NOT NULL),
    CHECK (state != 'free' OR handed_out IS NULL),
    CHECK (state != 'free' OR owner IS NULL),
    CHECK (state != 'quarantined' OR (owner IS NULL) = (handed_out IS NULL)),
    CHECK (state != 'programmed' OR owner IS NULL OR handed_out IS NOT NULL),
    CHECK (state != 'free' OR (image_id IS NULL AND function IS NULL AND digest IS NULL)),
    CHECK (state != 'programmed' OR (function IS NOT NULL AND digest IS NOT NULL)),
    CHECK (handed_out IS NULL OR (function IS NOT NULL AND digest IS NOT NULL)),
    CHECK (state = 'programmed' OR lost IS NULL),
    CHECK ((state = 'quarantined') = (quarantine IS NOT NULL)),
    CHECK (state IN ('free', 'firmware request') OR warm IS NULL)
) STRICT;

INSERT INTO regions_made_anew (rowid, id, driver, device, slot, vendor, board, part, interface,
    kinds, simulated, present, state, since, owner, number, handed_out, image_id, function, digest,
    nodes, lost, quarantine, warm)
SELECT rowid, id, driver, device, slot, vendor, board, part, interface, kinds, simulated, present,
    state, since, owner, number,
    CASE WHEN state IN ('programmed', 'write', 'reset') AND owner IS NOT NULL
        AND function IS NOT NULL AND digest IS NOT NULL THEN since END,
    image_id, function, digest, nodes, lost, quarantine, warm FROM regions;

CREATE TEMPORARY TABLE previous_owners AS
SELECT region_id, owner, ROW_NUMBER() OVER (PARTITION BY owner ORDER BY region_id) AS place FROM (
    SELECT r.id AS region_id, (
        SELECT e.owner FROM events e
        WHERE e.region_id = r.id AND e.owner IS NOT NULL AND e.sequence > (
            SELECT COALESCE(MAX(sequence), 0) FROM events WHERE region_id = r.id AND state = 'free')
        ORDER BY e.sequence DESC LIMIT 1
    ) AS owner
    FROM regions_made_anew r
    WHERE r.state IN ('quarantined', 'reset') AND r.owner IS NULL
        AND r.function IS NOT NULL AND r.digest IS NOT NULL
) WHERE owner IS NOT NULL;

CREATE TEMPORARY TABLE numbers_left AS
SELECT owner, number, ROW_NUMBER() OVER (PARTITION BY owner ORDER BY number) AS place FROM (
    SELECT DISTINCT p.owner, n.column1 AS number
    FROM previous_owners p, (VALUES (1), (2), (3), (4), (5), (6)) n
    WHERE NOT EXISTS (
        SELECT 1 FROM regions_made_anew WHERE owner = p.owner AND number = n.column1));

UPDATE regions_made_anew SET handed_out = since, owner = given.owner, number = given.number
FROM (SELECT region_id, owner, number FROM previous_owners JOIN numbers_left USING (owner, place))
    AS given
WHERE id = given.region_id;

DROP TABLE numbers_left;

UPDATE regions_made_anew SET state = 'quarantined', quarantine = 'operator'
WHERE state IN ('quarantined', 'reset') AND owner IS NULL
    AND function IS NOT NULL AND digest IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM events WHERE region_id = regions_made_anew.id AND state = 'free');

DROP TABLE previous_owners;

DROP TABLE regions;

ALTER TABLE regions_made_anew RENAME TO regions;

CREATE UNIQUE INDEX one_region_per_number ON regions (owner, number) WHERE owner IS NOT NULL;
"""

#: Each brings a ledger from the version of its place in this tuple to the next.
STEPS = (_FIRST, _SECOND, _THIRD, _FOURTH, fifth_version.STEP)
