"""How commands and opt-outs are read from the database's tables, by the agent and by a look at its file."""

import sqlite3

from gateway.commands.change import Entry


def entry(db: sqlite3.Connection, command_id: str) -> Entry | None:
    """Give what is stored about a command, finished or not; raise sqlite3.Error, as all here."""
    row = db.execute("SELECT id, over, body FROM command WHERE id = ?", (command_id,)).fetchone()
    return Entry(row[0], bool(row[1]), row[2]) if row else None


def newest(db: sqlite3.Connection, limit: int, before: int) -> list[tuple[int, Entry]]:
    """Give the newest commands whose number is under `before`, the newest first, with their numbers."""
    rows = db.execute(
        "SELECT number, id, over, body FROM command WHERE number < ? ORDER BY number DESC LIMIT ?", (before, limit)
    ).fetchall()
    return [(number, Entry(name, bool(over), body)) for number, name, over, body in rows]


def opt_outs(db: sqlite3.Connection) -> dict[str, str]:
    """Give target -> stored text of every opt-out."""
    return dict(db.execute("SELECT target, body FROM optout").fetchall())
