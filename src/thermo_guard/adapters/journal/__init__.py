"""The journal on SQL: the truth of what was decided, intended, answered and seen, durable before it is acted on.

`store` reads and writes it, `schema` and `migrations` say how it lies in the database, `codec` how an event becomes a
row, `folder_lock` keeps a second guard off the same folder. The reasons are in docs/adr/0003-state-store.md.
"""

from .folder_lock import FolderTakenError, nearest_of
from .store import JournalReader, SqlJournal

__all__ = ["FolderTakenError", "JournalReader", "SqlJournal", "nearest_of"]
