"""The journal on SQL: the truth of what was decided, intended, answered and seen, durable before it is acted on.

`store` reads and writes it, `schema` and `migrations` say how it lies in the database, `codec` how an event becomes a
row, `interest` which entries still count, `inbox` takes an operator's orders, `history` gives the temperatures to
whoever looks back, `damage` finds and sets aside what can no longer be trusted, `reserve` keeps room for a full disk,
`folder_lock` keeps a second guard off the same folder. The reasons are in docs/adr/0003-state-store.md.
"""

from .folder_lock import FolderTakenError, is_held, nearest_of
from .history import read_history
from .reserve import RESERVE_BYTES
from .store import JournalReader, SiteTakenError, SqlJournal

__all__ = ["RESERVE_BYTES", "FolderTakenError", "JournalReader", "SiteTakenError", "SqlJournal", "is_held",
           "nearest_of", "read_history"]
