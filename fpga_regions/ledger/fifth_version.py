# SPDX-License-Identifier: Apache-2.0
"""The fifth version of the ledger's tables: claims, and addresses of cards.

An owner may hold a region that it does not want programmed: what such a region was handed out with
is no function of ours. Where a card is on PCI is learned from its driver with the next look.
"""

STEP = """
CREATE TABLE regions_made_anew (
    id TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    device TEXT NOT NULL,
    slot INTEGER NOT NULL,
    vendor TEXT,
    address TEXT,
    board TEXT NOT NULL,
    part TEXT NOT NULL,
    interface TEXT,
    kinds TEXT NOT NULL,
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    present INTEGER NOT NULL CHECK (present IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN (
        'free', 'firmware request', 'write', 'programmed', 'claimed', 'reset', 'quarantined')),
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
    CHECK (state != 'claimed' OR (handed_out IS NOT NULL
        AND image_id IS NULL AND function IS NULL AND digest IS NULL)),
    CHECK (state = 'programmed' OR lost IS NULL),
    CHECK ((state = 'quarantined') = (quarantine IS NOT NULL)),
    CHECK (state IN ('free', 'firmware request') OR warm IS NULL)
) STRICT;

INSERT INTO regions_made_anew (rowid, id, driver, device, slot, vendor, board, part, interface,
    kinds, simulated, present, state, since, owner, number, handed_out, image_id, function, digest,
    nodes, lost, quarantine, warm)
SELECT rowid, id, driver, device, slot, vendor, board, part, interface, kinds, simulated, present,
    state, since, owner, number, handed_out, image_id, function, digest, nodes, lost, quarantine,
    warm FROM regions;

DROP TABLE regions;

ALTER TABLE regions_made_anew RENAME TO regions;

CREATE UNIQUE INDEX one_region_per_number ON regions (owner, number) WHERE owner IS NOT NULL;
"""
