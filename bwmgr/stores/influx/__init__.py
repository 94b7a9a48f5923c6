"""The InfluxDB store: 1.6 to 1.8, 2.x and 3, one schema, nothing lost while the server is away.

Start reading at `store`; `schema` has the names, `lines` makes line protocol, `spool` keeps it on the disk, `sending` ships it,
`reading` gets rows back, `client` is the HTTP. ADR 0007 says why.
"""

from bwmgr.stores.influx.access import Access, Server
from bwmgr.stores.influx.schema import series_tags
from bwmgr.stores.influx.store import InfluxStore, SpoolState

__all__ = ["Access", "InfluxStore", "Server", "SpoolState", "series_tags"]
