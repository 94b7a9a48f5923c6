"""The key `rollout:`: how far each point is, written apart from the links, so that a spreadsheet can rule it.

An entry names a link and gives keys of its `site:`, and its `interface:` where it got one since; they stand above what the link
itself says. Owns the joining, and the mistakes that it finds; names and kinds are in `bwmgr.config.shapes`.
"""

from __future__ import annotations

from bwmgr.config.kinds import nearest
from bwmgr.config.named import Named, unknown
from bwmgr.config.reading import Record
from bwmgr.model.said import Said


class PointChecks(Named):
    def join_points(self) -> None:
        """Puts what `rollout:` says into the links' records, before anything else is checked of them."""
        seen: dict[str, Record] = {}
        for point in self.root.get("rollout", []):
            name = point.get("link")
            if name in seen:
                self.blame(
                    point,
                    "link",
                    Said("{name!r} stands at {where} already; keep one", name=name, where=self.place(seen[name], "link")),
                )
            elif name is not None and name not in self.links:
                hint = nearest(name, self.links) or Said("; add it to {section}", section="links")
                self.blame(point, "link", unknown(Said("link"), name, hint))
            elif name is not None:
                seen[name] = point
                _join(self.links[name], point)


def _join(link: Record, point: Record) -> None:
    site = link.get("site")
    said = {key: value for key, value in point.values.items() if key not in ("link", "interface")}
    if said:
        before = site.values if site is not None else {}
        link.values["site"] = Record({**before, **said}, point.source, point.path)
    if "interface" in point.source.entries:
        for kept, given in ((link.values, point.values), (link.source.entries, point.source.entries)):
            kept.pop("interface", None)
            if "interface" in given:
                kept["interface"] = given["interface"]
        link.source.lines.setdefault("interface", link.source.line)
