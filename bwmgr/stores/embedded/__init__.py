"""The embedded store: one folder, no server. Today in SQLite, each finished day in a Parquet file, listed in SQLite.

Start reading at `store`; `catalog` has the SQLite file, `dayfiles` the Parquet ones, `reading` puts both together, `upkeep`
moves days from one to the other, ends old ones and copies all of it. ADR 0004 says why.
"""

from bwmgr.stores.embedded.store import EmbeddedStore
from bwmgr.stores.embedded.upkeep import Retention

__all__ = ["EmbeddedStore", "Retention"]
