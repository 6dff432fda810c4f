# SPDX-License-Identifier: Apache-2.0
"""Reads the ledger's rows, and puts SQLite's failures into words."""

import json
import sqlite3

from fpga_regions.model import Cause, Loaded, Node, Region, Slot, State, Warm

#: The fault of a file that is not as SQLite or this program wrote it.
DAMAGED = "is damaged: move it away and restore a copy"


def reason(error: sqlite3.Error) -> str:
    """What an error of SQLite means for a ledger: "is damaged: ...".

    Result codes: https://www.sqlite.org/rescode.html
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    meanings = {
        sqlite3.SQLITE_IOERR: "cannot be read or written: input/output error; see the kernel's log",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened, or its journal cannot be made beside it",
        sqlite3.SQLITE_BUSY: "is being written by another process: try again",
        sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
        sqlite3.SQLITE_READONLY: "cannot be written: the file or its file system is read-only",
        sqlite3.SQLITE_CORRUPT: DAMAGED,
        sqlite3.SQLITE_NOTADB: "is not a ledger: move it away and restore a copy",
    }
    return meanings.get(code, f"cannot be used: {error}")


def to_region(row: sqlite3.Row) -> Region:
    """The region of a row.

    :raises ValueError, TypeError, KeyError: the row has what no release writes
    """
    slot = Slot(
        driver=row["driver"],
        device=row["device"],
        index=row["slot"],
        board=row["board"],
        part=row["part"],
        interface=row["interface"],
        kinds=frozenset(row["kinds"].split()),
        simulated=bool(row["simulated"]),
        vendor=row["vendor"],
        address=row["address"],
    )
    return Region(
        id=row["id"],
        slot=slot,
        state=State(row["state"]),
        since=row["since"],
        owner=row["owner"],
        image_id=row["image_id"],
        function=row["function"],
        digest=row["digest"],
        nodes=tuple(Node(**node) for node in json.loads(row["nodes"])),
        lost=row["lost"],
        number=row["number"],
        quarantine=Cause(row["quarantine"]) if row["quarantine"] else None,
        reason=row["reason"],
        warm=_to_warm(row["warm"]) if row["warm"] else None,
        handed_out=row["handed_out"],
    )


def of_warm(warm: Warm) -> str:
    """What a row has for a region that is kept warm."""
    return json.dumps(
        {
            "function": warm.loaded.function,
            "digest": warm.loaded.digest,
            "image_id": warm.image_id,
            "exposes": warm.exposes,
        }
    )


def _to_warm(text: str) -> Warm:
    fields = json.loads(text)
    return Warm(
        Loaded(str(fields["function"]), str(fields["digest"])),
        fields["image_id"],
        tuple((str(kind), str(name)) for kind, name in fields["exposes"]),
    )
