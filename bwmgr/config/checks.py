"""What keys mean together: references, credentials by version, the store by kind, dates, events, flows.

Owns mistakes that need two places to see, with `check_tree` and `check_apart` beside it. A key that was wrong by itself is
missing from its record, so that it is reported once and hides nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from bwmgr.config.check_apart import ApartChecks
from bwmgr.config.check_service import ServiceChecks
from bwmgr.config.check_tree import TreeChecks
from bwmgr.config.document import Items, Keys, Text, Value
from bwmgr.config.enforcing import EnforceChecks
from bwmgr.config.governing import GovernChecks
from bwmgr.config.kinds import nearest
from bwmgr.config.named import DIRECTIONS, unknown
from bwmgr.config.points import PointChecks
from bwmgr.config.reading import Record
from bwmgr.config.telling import TellChecks
from bwmgr.model.inventory import LinkKind, ServiceClass
from bwmgr.model.said import Said
from bwmgr.model.units import rate_text

SHORTEST_TOKEN = 16
"""Characters of a token for the web pages: fewer could be guessed over the network."""


class Checks(PointChecks, TreeChecks, ApartChecks, EnforceChecks, ServiceChecks, GovernChecks, TellChecks):
    """Everything that is checked over a whole document, by `run`."""

    def run(self) -> None:
        self.join_points()
        self._store()
        self._credentials()
        self._calendars()
        self._netflow()
        self._documents()
        self._web()
        self._policies()
        self._each_device()
        self._each_contract()
        self.check_tree()
        self._each_link()
        self._each_event()
        self.check_service()
        self.check_apart()
        self.check_enforcing()
        self.check_governing()
        self.check_telling()

    def _store(self) -> None:
        store = self.root.get("store")
        if store is None or store.get("kind") != "influxdb":
            return
        if "url" not in store.source.entries:
            self.blame(store, "url", Said("missing; write such as http://127.0.0.1:8086"))
        keys = store.source.entries
        if not ({"org", "bucket", "token"} <= keys.keys() or "database" in keys):
            self.blame(
                store, "", Said("influxdb needs org, bucket and token (2.x and 3), or database, username and password (1.x)")
            )

    def _credentials(self) -> None:
        for record in self.root.get("credentials", {}).values():
            version, keys = record.get("version"), record.source.entries
            if version in ("1", "2c"):
                if "community" not in keys:
                    self.blame(
                        record,
                        "community",
                        Said("missing; version {version} needs one: {{env: NAME}} or {{file: PATH}}", version=version),
                    )
                problem = Said("belongs to version 3; take it away, or write version: 3")
                self._foreign(record, ("user", "auth", "priv", "context"), problem)
            elif version == "3":
                if "user" not in keys:
                    self.blame(record, "user", Said("missing; version 3 needs a user"))
                if "priv" in keys and "auth" not in keys:
                    self.blame(
                        record, "priv", Said("needs auth: there is no encryption without authentication (RFC 3411); add auth")
                    )
                problem = Said("belongs to versions 1 and 2c; version 3 takes user, auth and priv")
                self._foreign(record, ("community",), problem)
                self._pass_phrases(record)

    def _foreign(self, record: Record, keys: Iterable[str], problem: str) -> None:
        for key in keys:
            if key in record.source.entries:
                self.blame(record, key, problem)

    def _pass_phrases(self, record: Record) -> None:
        for half in ("auth", "priv"):
            key = record.get(half).get("key") if record.get(half) else None
            text = key.reveal() if key else ""
            if text and len(text) < 8:
                self.blame(
                    record.get(half),
                    "key",
                    Said("the pass phrase is shorter than 8 characters (RFC 3414 section 11.2); use a longer one"),
                )

    def _netflow(self) -> None:
        netflow = self.root.get("netflow")
        if netflow is None:
            return
        for key in ("listen", "exporters"):
            given = netflow.source.entries.get(key)
            if isinstance(given, Items) and not given.items:
                problem = Said('empty; write such as ["0.0.0.0:2055"]')
                if key == "exporters":
                    problem = Said("empty; write any, or leave it out for the devices' own addresses")
                self.blame(netflow, key, problem)
        if "exporters" not in netflow.source.entries and not self.root.source.entries.get("devices"):
            self.blame(
                netflow, "exporters", Said("missing, and there are no devices whose addresses would hold; write networks, or any")
            )
        listen = netflow.get("listen", [])
        for host, port in {place for place in listen if listen.count(place) > 1}:
            self.blame(netflow, "listen", Said("{host} port {port} is given twice; keep one", host=host, port=str(port)))
        for key in ("domestic", "services"):
            path = netflow.get(key)
            if path is not None and not (Path(netflow.source.file).parent / path).is_file():
                self.blame(netflow, key, Said("there is no file {path}; a path is relative to the file that names it", path=path))

    def _documents(self) -> None:
        documents = self.root.get("documents")
        folder = documents.get("templates") if documents else None
        if folder is not None and not (Path(documents.source.file).parent / folder).is_dir():
            self.blame(
                documents,
                "templates",
                Said("there is no folder {folder}; `bwmgr report templates {folder}` makes it", folder=folder),
            )
        if documents is not None and (monthly := documents.get("monthly")) is not None:
            self._monthly(monthly)

    def _monthly(self, monthly: Record) -> None:
        """Whoever gets the report is a receiver that e-mail reaches."""
        notify = self.root.get("notify")
        mailed = {one.get("id") for one in (notify.get("receivers", []) if notify else []) if one.get("email") is not None}
        pages = monthly.get("pages", {})
        for key, names in (("email", monthly.get("email", [])), ("pages", pages.values())):
            for name in names:
                if name not in mailed:
                    self.blame(monthly, key, Said("no receiver {name!r} with email under notify.receivers", name=name))
        for link in pages:
            if link not in self.links:
                self.blame(monthly, "pages", Said("no link {link!r}; pages are by link", link=link))

    def _web(self) -> None:
        daemon = self.root.get("daemon")
        web = daemon.get("web") if daemon else None
        if web is None:
            return
        host, _ = web.get("listen", ("127.0.0.1", 0))
        keys = web.source.entries
        if not is_loopback(host) and not {"token", "user_header"} & keys.keys():
            problem = Said(
                "{host} is not this machine alone; add token: {{file: PATH}}, or user_header: of a reverse proxy, "
                "or listen on 127.0.0.1",
                host=host,
            )
            self.blame(web, "listen", problem)
        if "proxies" in keys and "user_header" not in keys:
            self.blame(web, "proxies", Said("without user_header nothing is believed of them; add it, or take proxies away"))
        token = web.get("token").reveal() if web.get("token") else ""  # empty too where secrets are not looked up
        if token and len(token) < SHORTEST_TOKEN:
            problem = Said("shorter than {count} characters; make one by `openssl rand -hex 24`", count=SHORTEST_TOKEN)
            self.blame(web, "token", problem)

    def _calendars(self) -> None:
        calendars = self.root.source.entries.get("calendars")
        if isinstance(calendars, Keys) and "always" in calendars.entries:
            problem = Said("exists already, and means always; give yours another name")
            self.blame(Record({}, calendars, "calendars"), "always", problem)

    def _policies(self) -> None:
        """A policy's parameters of these names mean what the document names so."""
        listed = self.root.source.entries.get("policies")
        meant = {
            "calendar": (Said("calendar"), self.named("calendars") | {"always"}),
            "links": (Said("link"), self.links),
            "except_links": (Said("link"), self.links),
            "kinds": (Said("kind"), {kind.value for kind in LinkKind}),
            "classes": (Said("class"), {one.value for one in ServiceClass}),
        }
        for index, item in enumerate(listed.items if isinstance(listed, Items) else ()):
            if not isinstance(item, Keys):
                continue
            for key, (what, known) in meant.items():
                for name in _texts(item.entries.get(key)):
                    if name not in known:
                        hint = nearest(name, known) or Said("; write one of {known}", known=", ".join(sorted(known)[:8]))
                        self.blame(Record({}, item, f"policies[{index}]"), key, unknown(what, name, hint))

    def _each_device(self) -> None:
        credentials = self.named("credentials")
        for device in self.devices.values():
            if "credentials" in device.source.entries:
                self.refer(device, "credentials", credentials, Said("credential"))
            elif "default" not in credentials:
                self.blame(device, "credentials", _no_default(credentials))

    def _each_contract(self) -> None:
        for contract in self.contracts.values():
            start, end = contract.get("start"), contract.get("end")
            if start and end and end < start:
                self.blame(
                    contract,
                    "end",
                    Said("{end} is before the start, {start}; write the last day of the contract", end=end, start=start),
                )
            for direction in DIRECTIONS:
                self._parts(contract, direction)

    def _parts(self, contract: Record, direction: str) -> None:
        whole = contract.get(direction)
        for part in ("international", "domestic"):
            rate = contract.get(part)
            if direction == "down" and rate is not None and whole is not None and rate > whole:
                self.blame(
                    contract,
                    part,
                    Said(
                        "{rate} is above the contract's {way} of {most}; lower it or raise {way}",
                        rate=rate_text(rate),
                        way=direction,
                        most=rate_text(whole),
                    ),
                )

    def _each_link(self) -> None:
        calendars = self.named("calendars") | {"always"}
        for link in self.links.values():
            self.refer(link, "parent", self.nodes, Said("node"))
            self.refer(link, "calendar", calendars, Said("calendar"))
            self.refer(link, "opd", self.links, Said("link"))
            keys = link.source.entries
            planned = link.get("site") is not None and link.get("site").get("status") in ("planned", "installed")
            if not (planned or "interface" in keys or "networks" in keys or link.get("kind") == "event"):
                self.blame(
                    link,
                    "",
                    Said("neither interface nor networks: nothing would be measured; add one, or site: {{status: planned}}"),
                )

    def _each_event(self) -> None:
        for event in self.events.values():
            for name in event.get("links", []):
                if name not in self.links:
                    hint = nearest(name, self.links) or Said("; add it to {section}", section="links")
                    self.blame(event, "links", unknown(Said("link"), name, hint))
            start, end = event.get("start"), event.get("end")
            if start and end and self.instant(end) <= self.instant(start):
                self.blame(
                    event,
                    "end",
                    Said(
                        "{end} is not after the start, {start}; it is the first moment that no longer belongs to it",
                        end=_text(end),
                        start=_text(start),
                    ),
                )
            if not {"down", "up"} & event.source.entries.keys():
                self.blame(event, "down", Said("missing, and up too; write what is reserved, such as down: 400M"))


def _no_default(credentials: Iterable[str]) -> Said:
    if known := ", ".join(sorted(credentials)):
        return Said("missing, and there are no credentials 'default'; name one of {known}", known=known)
    return Said("missing, and there are no credentials 'default'; add credentials: {{default: ...}}")


def is_loopback(host: str) -> bool:
    """Is it an address of this machine alone? A name is one only if it is `localhost`: what others lead to may change."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _texts(value: Value | None) -> list[str]:
    items = value.items if isinstance(value, Items) else [value]
    return [item.text for item in items if isinstance(item, Text) and not item.empty]


def _text(local: datetime) -> str:
    return local.isoformat(timespec="minutes")
