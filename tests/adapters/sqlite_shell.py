"""A person with a SQLite shell beside the guard's journal."""

import sqlite3
from pathlib import Path


def sql(folder: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Run one statement, and have it committed."""
    connection = sqlite3.connect(folder / "journal.sqlite3")
    try:
        rows = connection.execute(statement, values).fetchall()
        connection.commit()
        return rows
    finally:
        connection.close()
