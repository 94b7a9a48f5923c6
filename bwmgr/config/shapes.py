"""Which keys there are, of what kind: the one table that both the reader and the JSON Schema follow.

Owns names, kinds, what is required and a line on each for editors. What keys mean together is `bwmgr.config.checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bwmgr.config import kinds
from bwmgr.config.kinds import Kind, choice, duration, number
from bwmgr.model.said import Said
from bwmgr.model.service import Cause


@dataclass(frozen=True, slots=True)
class SecretReference:
    """`{env: NAME}` or `{file: PATH}`."""


@dataclass(frozen=True, slots=True)
class ListOf:
    of: Type


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping whose keys the office chooses."""

    of: Type
    key: Kind = kinds.ID


@dataclass(frozen=True, slots=True)
class Either:
    """A single word with a meaning of its own, or the other type."""

    word: str
    of: Type


@dataclass(frozen=True, slots=True)
class Week:
    """A calendar: days or spans of days with their hours, holidays, closed days."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A policy's name, or a mapping with it and its settings."""


@dataclass(frozen=True, slots=True)
class Field:
    type: Type
    about: str = ""
    required: bool = False
    hint: str = "..."
    """What to write where it is missing, to go on with a sentence."""


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    fields: Mapping[str, Field] = field(hash=False)


Type = Kind | SecretReference | ListOf | MapOf | Either | Week | Chosen | Shape

SECRET = SecretReference()


def _needed(type_: Type, hint: str) -> Field:
    """A key that may not be left out; what a schema says about it is its hint as a sentence. A hint is `Said`, or a sample."""
    return Field(type_, f"{hint[:1].upper()}{hint[1:]}.", required=True, hint=hint)


ID = _needed(kinds.ID, Said("a short name of its own, such as dinkes"))
PAIR = Shape(
    "rates",
    {
        "down": _needed(kinds.RATE, Said("towards the subscriber, bit/s")),
        "up": _needed(kinds.RATE, Said("from the subscriber, bit/s")),
    },
)
OPEN_PAIR = Shape(
    "limits",
    {
        "down": _needed(kinds.RATE_OR_NONE, Said("towards the subscriber, bit/s, or none")),
        "up": _needed(kinds.RATE_OR_NONE, Said("from the subscriber, bit/s, or none")),
    },
)
INTERFACE = Shape(
    "interface",
    {
        "device": _needed(kinds.ID, Said("id of the router that it belongs to")),
        "if_name": Field(kinds.WORD, "ifName, as discover prints it."),
        "if_alias": Field(kinds.WORD, "ifAlias instead of ifName; must be unique on its device."),
        "faces": _needed(
            choice("subscriber", "provider"), Said("what lies behind it: subscriber (ifOut is download) or provider (ifIn is)")
        ),
    },
)
ORGANISATION = Shape(
    "organisation",
    {
        "name": _needed(kinds.WORD, Said("of the office, as reports print it")),
        "timezone": Field(kinds.ZONE, "Asia/Jakarta (WIB), Asia/Makassar (WITA) or Asia/Jayapura (WIT)."),
        "language": Field(choice("id", "en")),
        "currency": Field(kinds.CURRENCY, "ISO 4217, such as IDR."),
    },
)
STORE = Shape(
    "store",
    {
        "kind": Field(choice("embedded", "influxdb")),
        "path": Field(kinds.WORD, "Data folder, relative to this file."),
        "retention": Field(Shape("retention", {"age": Field(duration(86400)), "size": Field(kinds.SIZE)})),
        "url": Field(kinds.URL),
        "ca": Field(kinds.WORD, "File of the certificate authority that signed the server's certificate, relative to this file."),
        "org": Field(kinds.WORD),
        "bucket": Field(kinds.WORD),
        "token": Field(SECRET),
        "database": Field(kinds.WORD),
        "username": Field(kinds.WORD),
        "password": Field(SECRET),
        "interface_counters": Field(
            kinds.FLAG, "Raw counters go to the InfluxDB too, as Telegraf's measurement `interface`; `true` when left out."
        ),
    },
)
SNMP = Shape(
    "snmp",
    {
        "interval": Field(duration(1), "Between two cycles, 1s or more."),
        "timeout": Field(duration(0.01)),
        "retries": Field(number(0, 10, whole=True)),
    },
)
_KEY = {"key": _needed(SECRET, Said("pass phrase of 8 characters or more"))}
AUTH = Shape(
    "auth",
    {
        "protocol": _needed(choice("MD5", "SHA", "SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"), Said("such as SHA-256")),
        **_KEY,
    },
)
PRIV = Shape(
    "priv",
    {
        "protocol": _needed(
            choice("DES", "AES", "AES-128", "AES-192", "AES-256", "AES-192-C", "AES-256-C"),
            Said("such as AES (AES-128); -C means keys extended as Cisco does"),
        ),
        **_KEY,
    },
)
CREDENTIAL = Shape(
    "credential",
    {
        "version": _needed(choice("1", "2c", "3"), Said("SNMP version 1, 2c or 3")),
        "community": Field(SECRET, "For versions 1 and 2c."),
        "user": Field(kinds.WORD, "For version 3."),
        "auth": Field(AUTH),
        "priv": Field(PRIV),
        "context": Field(kinds.WORD),
    },
)
NETFLOW = Shape(
    "netflow",
    {
        "listen": _needed(ListOf(kinds.ENDPOINT), Said('addresses and UDP ports, such as ["0.0.0.0:2055"]')),
        "exporters": Field(Either("any", ListOf(kinds.NETWORK)), "Who may send; the devices' own addresses when left out."),
        "sampling": Field(MapOf(number(1, 10**7, whole=True), kinds.ADDRESS), "One packet in so many, by exporter address."),
        "domestic": Field(kinds.WORD, "File of networks, one a line, that count as domestic traffic."),
        "services": Field(kinds.WORD, "File of networks and their services' names."),
        "raw": Field(
            Shape("raw", {"keep": Field(duration(3600)), "size": Field(kinds.SIZE)}), "Flows as they came, kept for evidence."
        ),
        "processes": Field(number(1, 16, whole=True), "How many receive side by side (1); each takes some of the exporters."),
    },
)
WEB = Shape(
    "web",
    {
        "listen": _needed(kinds.ENDPOINT, Said('address and port of the pages, such as "127.0.0.1:8080"')),
        "token": Field(SECRET, "At least 16 characters; the password in a browser, any user name. Needed beyond loopback."),
        "user_header": Field(kinds.HEADER, "Header by which a reverse proxy names its user, instead of a token."),
        "proxies": Field(ListOf(kinds.NETWORK), "Who may set that header; this machine when left out."),
    },
)
DAEMON = Shape(
    "daemon",
    {
        "metrics": Field(kinds.ENDPOINT, "Prometheus metrics and the health page."),
        "web": Field(WEB, "Read-only pages for people."),
        "recommend_every": Field(duration(60), "Between two runs of the policies; 15m when left out."),
        "report_every": Field(duration(60)),
        "log_format": Field(choice("text", "json")),
        "log_level": Field(choice("debug", "info", "warning", "error")),
    },
)
SLA = Shape(
    "sla",
    {
        "availability": Field(number(0, 100), "Percent of each month."),
        "restitution": Field(choice("proportional", "shortfall", "tiers"), "How what is paid back is reckoned."),
        "tiers": Field(
            ListOf(
                Shape(
                    "tier",
                    {
                        "below": _needed(number(0, 100), Said("availability in percent")),
                        "percent": _needed(number(0, 100), Said("of the month's price")),
                    },
                )
            ),
            "For restitution: tiers; the lowest that the availability lies below holds.",
        ),
        "exclude": Field(
            ListOf(choice(*(str(cause) for cause in Cause if cause is not Cause.UNDETERMINED))),
            "Causes whose outages do not count; planned, and for an uplink power and opd-device, when left out.",
        ),
        "least_outage": Field(duration(0), "A shorter time without service is none; 5m when left out."),
        "covers": Field(choice("uplink", "links"), "The service at the uplinks, or at all links below them."),
    },
)
CONTRACT = Shape(
    "contract",
    {
        "id": ID,
        "down": _needed(kinds.RATE, Said("towards the office, bit/s, such as 500M")),
        "up": _needed(kinds.RATE, Said("from the office, bit/s, such as 500M")),
        "price": Field(number(0, 10**15, whole=True), "Whole currency units."),
        "per": Field(choice("month", "year", "contract")),
        "start": Field(kinds.DATE),
        "end": Field(kinds.DATE, "Its last day."),
        "sla": Field(SLA),
        "international": Field(kinds.RATE),
        "domestic": Field(kinds.RATE),
    },
)
PROVIDER = Shape(
    "provider", {"id": ID, "name": _needed(kinds.WORD, Said("of the company")), "contracts": Field(ListOf(CONTRACT))}
)
ENFORCE = Shape(
    "enforce",
    {
        "driver": _needed(
            choice("linux", "routeros", "routeros-rest", "ios", "junos", "radius"), Said("how its limits are changed")
        ),
        "namespace": Field(kinds.WORD, "Of Linux, where it is not the machine's own."),
        "user": Field(kinds.WORD),
        "password": Field(SECRET),
        "port": Field(kinds.PORT),
        "secret": Field(SECRET, "RADIUS: the shared secret. IOS: what `enable` asks for."),
        "ca": Field(kinds.WORD, "File of the certificate authority that signed the device's certificate."),
        "host_keys": Field(kinds.WORD, "IOS and Junos: file of SSH host keys, as known_hosts; the system's when left out."),
        "timeout": Field(duration(1), "How long an answer may take; 10s when left out."),
    },
)
_SHAPER_PORT = Shape(
    "port",
    {
        "interface": _needed(kinds.WORD, Said("the port that packets of this direction leave by")),
        "class": Field(kinds.WORD, "HTB class, hexadecimal; 1:10 when left out."),
        "parent": Field(kinds.WORD, "Class above it in a tree of the office's own; left out: the port is this link's alone."),
    },
)
SHAPER = Shape(
    "shaper",
    {
        "device": _needed(kinds.ID, Said("the device that holds the link's limits; it has enforce:")),
        "down": Field(_SHAPER_PORT),
        "up": Field(_SHAPER_PORT),
        "user": Field(kinds.WORD, "RADIUS: the User-Name of the link's session; left out: it is found by its address."),
    },
)
DEVICE = Shape(
    "device",
    {
        "id": ID,
        "address": _needed(kinds.ADDRESS, Said("a host name, IPv4 or IPv6")),
        "port": Field(kinds.PORT),
        "credentials": Field(kinds.ID),
        "vendor": Field(kinds.WORD),
        "unconnected": Field(kinds.FLAG, "Accept replies from another address than the one asked."),
        "enforce": Field(ENFORCE, "How bwmgr changes limits on it; left out: it never does."),
    },
)
_WEIGHT = Field(number(0, 10**6), "Share of the excess beside its siblings; 0: last of all.")
NODE = Shape(
    "node",
    {
        "id": ID,
        "name": Field(kinds.WORD),
        "parent": Field(kinds.ID),
        "capacity": Field(PAIR),
        "cir": Field(PAIR),
        "weight": _WEIGHT,
        "fairness": Field(choice("leaf", "hierarchical")),
        "oversubscription": Field(number(1, 1000), "CIRs below may add up to this many times the capacity."),
        "uplinks": Field(
            ListOf(
                Shape(
                    "uplink",
                    {
                        "interface": _needed(INTERFACE, "{device: ..., if_name: ..., faces: provider}"),
                        "contract": Field(kinds.ID),
                    },
                )
            )
        ),
    },
)
SITE = Shape(
    "site",
    {
        "kecamatan": Field(kinds.WORD),
        "kelurahan": Field(kinds.WORD),
        "code": Field(Kind(kinds.WORD.parse, {"type": "string"}), "Region code (kode wilayah), quoted."),
        "lat": Field(number(-90, 90)),
        "lon": Field(number(-180, 180)),
        "medium": Field(kinds.WORD),
        "status": Field(choice("planned", "installed", "trial", "active")),
        "since": Field(kinds.DATE, "From when on it has that status."),
        "reason": Field(kinds.WORD, "Why it is not reached yet, such as no power poles."),
    },
)
POINT = Shape(
    "point",
    {
        "link": _needed(kinds.ID, Said("id of the link that it is about")),
        "interface": Field(INTERFACE, "Where it is measured, for a link that names none."),
        **SITE.fields,
    },
)
_CLASS = Field(choice("critical", "office", "public"))
LINK = Shape(
    "link",
    {
        "id": ID,
        "name": Field(kinds.WORD),
        "kind": _needed(choice("opd", "facility", "village", "wifi", "event"), Said("opd, facility, village, wifi or event")),
        "parent": Field(kinds.ID),
        "interface": Field(INTERFACE),
        "limit": Field(Either("none", OPEN_PAIR), "Rate limit in force today; none: unlimited."),
        "cir": Field(PAIR, "Guaranteed."),
        "mir": Field(Either("none", OPEN_PAIR), "The most it may ever get."),
        "weight": _WEIGHT,
        "bandwidth_function": Field(
            ListOf(ListOf(kinds.RATE)),
            "In place of weight: points [level, rate] from [0, 0] on; where weight 1 gets level, it gets rate on top of cir.",
        ),
        "class": _CLASS,
        "calendar": Field(kinds.ID),
        "networks": Field(ListOf(kinds.NETWORK), "For flows."),
        "site": Field(SITE),
        "opd": Field(kinds.ID, "The agency that a facility or access point belongs to."),
        "shaper": Field(SHAPER, "Where its limit is held."),
    },
)
EVENT = Shape(
    "event",
    {
        "id": ID,
        "links": _needed(ListOf(kinds.ID), Said("ids of those that it reserves for")),
        "down": Field(kinds.RATE),
        "up": Field(kinds.RATE),
        "start": _needed(kinds.INSTANT, Said("such as 2022-09-07T00:00, in the organisation's zone")),
        "end": _needed(kinds.INSTANT, Said("the first moment that no longer belongs to it")),
        "class": _CLASS,
    },
)
MAINTENANCE = Shape(
    "maintenance",
    {
        "id": ID,
        "start": _needed(kinds.INSTANT, Said("such as 2026-03-07T22:00, in the organisation's zone")),
        "end": _needed(kinds.INSTANT, Said("the first moment that no longer belongs to it")),
        "links": Field(ListOf(kinds.ID), "Ids of those that it is about; with contracts left out too, of everything."),
        "contracts": Field(ListOf(kinds.ID), "Ids of those whose uplinks it is about."),
    },
)
GUARDS = Shape(
    "guards",
    {
        "min_coverage": Field(kinds.SHARE, "Below this share of the calendar's time measured, nothing is changed."),
        "min_covered": Field(duration(0), "Below this much measured time, nothing is changed."),
        "cooldown": Field(duration(0), "Wait after a limit changed or was decided on."),
        "dynamic_cooldown": Field(duration(0), "The same for what answers a congestion of now."),
        "dead_band": Field(kinds.SHARE, "A change below this share of the limit is none."),
        "most_lowered": Field(kinds.SHARE, "One step takes away no more than this share of the limit."),
        "least_lowered": Field(kinds.RATE, "A lowering that gives up less is proposed only where a raise lacks room."),
        "most_lowerings": Field(number(0, 10**6, whole=True), "Lowerings in one run, the largest; the others wait."),
        "most_changes_per_device_hour": Field(number(0, 10**6, whole=True), "Changes of the links of one router in an hour."),
        "load_margin": Field(kinds.SHARE, "Kept free above what a node was measured to carry."),
        "valid": Field(duration(60), "So long a recommendation waits for a decision."),
    },
)
SIGNER = Shape(
    "signer",
    {
        "party": _needed(kinds.WORD, Said("as it signs, such as Pihak Kesatu")),
        "title": Field(kinds.WORD, "Office or company, and position."),
        "name": Field(kinds.WORD, "Left out: room for a name by hand."),
        "number": Field(kinds.WORD, "Such as NIP 19800101 200501 1 001."),
    },
)
DOCUMENTS = Shape(
    "documents",
    {
        "templates": Field(kinds.WORD, "Folder of templates of the office's own, relative to this file; they win."),
        "place": Field(kinds.WORD, "Where documents are signed, such as Sampit."),
        "signers": Field(MapOf(ListOf(SIGNER)), "Who signs, by document: trial, monthly, sla, needs."),
        "monthly": Field(
            Shape(
                "monthly",
                {
                    "day": Field(number(1, 28, whole=True), "Day on which the month before is closed and reported, 2."),
                    "at": Field(kinds.CLOCK, "From this time of day on, 06:00."),
                    "email": Field(ListOf(kinds.ID), "Receivers of notify that get the office's PDF and workbook by e-mail."),
                    "pages": Field(MapOf(kinds.ID), "By link, the receiver of notify that gets its page by e-mail."),
                },
            ),
            "The daemon closes each month and writes its report.",
        ),
    },
)
TRIAL = Shape(
    "trial",
    {
        "at": Field(kinds.SHARE, "From this share of the promise on, a sample has reached it; 95%."),
        "capacity": Field(kinds.SHARE, "Least capacity reached (95th percentile of asked-for samples) over the promise; 95%."),
        "reached": Field(kinds.SHARE, "Least share of asked-for samples that reached the promise; 95%."),
        "jain": Field(kinds.SHARE, "Least Jain index of delivered over entitled; 90%."),
        "least": Field(kinds.SHARE, "Least link over the median, delivered over entitled; 80%."),
        "variation": Field(kinds.SHARE, "Most standard deviation over mean of asked-for rates; 10%."),
        "availability": Field(kinds.SHARE, "Least availability where the contract names none; 99.5%."),
        "rtt": Field(duration(0), "Most round-trip time of the polls, 95th percentile; 50ms is 0.05s."),
        "loss": Field(kinds.SHARE, "Most polls without an answer outside outages; 1%."),
        "completeness": Field(kinds.SHARE, "Below this share measured, clauses about all the time are not judged; 90%."),
        "asked": Field(duration(0), "Below this much asked-for time, clauses about capacity are not judged; 30m."),
        "tests": Field(number(1, 1000, whole=True), "So many tests by iperf3 do as well; 10."),
        "active": Field(
            Shape(
                "active",
                {
                    "server": _needed(kinds.ADDRESS, Said("an iperf3 server that the office may fill the line to")),
                    "port": Field(kinds.PORT),
                    "seconds": Field(number(1, 60), "How long one test lasts, 10."),
                    "rate": Field(kinds.RATE, "The most that a test sends; the promise when left out."),
                    "at": Field(ListOf(kinds.CLOCK), 'Times of day, such as ["02:00", "04:00"]; none: only by hand.'),
                    "in_office_hours": Field(kinds.FLAG, "Also while the lines' calendar is open."),
                },
            ),
            "Tests by iperf3 while a trial runs.",
        ),
    },
)
PERSON = Shape(
    "person",
    {
        "id": ID,
        "name": Field(kinds.WORD, "As reports print it."),
        "users": Field(ListOf(kinds.WORD), "Names on this machine, as `whoami` prints them."),
        "roles": _needed(
            ListOf(choice("operator", "approver", "auditor")),
            Said("operator (proposes, applies), approver (approves what others proposed), auditor (reads)"),
        ),
        "token": Field(SECRET, "At least 16 characters; proves by BWMGR_TOKEN who it is where the system user does not."),
    },
)
APPROVAL = Shape(
    "approval",
    {
        "pre_approve": Field(
            Shape(
                "pre_approve",
                {
                    "policies": _needed(ListOf(kinds.WORD), Said("whose raises and lowerings, such as [right_size]")),
                    "most_step": _needed(kinds.SHARE, Said("of the limit in force, such as 20%")),
                    "most_rate": _needed(kinds.RATE, Said("the largest step, such as 5M")),
                    "most_per_day": _needed(number(1, 10**4, whole=True), Said("of the whole office in 24 hours, such as 5")),
                    "classes": Field(ListOf(choice("critical", "office", "public")), "Only links of these; all when left out."),
                },
            ),
            "Small steps that no person needs to approve; left out: there are none.",
        ),
        "freeze": Field(
            ListOf(
                Shape(
                    "freeze",
                    {
                        "start": Field(kinds.INSTANT, "Such as 2026-12-24T00:00, in the organisation's zone."),
                        "end": Field(kinds.INSTANT, "The first moment that no longer belongs to it."),
                        "calendar": Field(kinds.ID, "Instead: nothing is applied while this calendar is open."),
                        "reason": _needed(kinds.WORD, Said("such as election week; whoever is refused reads it")),
                    },
                )
            ),
            "Times in which nothing is applied.",
        ),
    },
)
JOURNAL = Shape(
    "journal",
    {
        "key": Field(SECRET, "Private key that signs each entry; `bwmgr audit key FILE` makes one. Left out: unsigned."),
        "earlier_keys": Field(ListOf(kinds.WORD), "Files of public keys that signed before it."),
    },
)
OPEN_DATA = Shape(
    "open_data",
    {
        "region": Field(Kind(kinds.WORD.parse, {"type": "string"}), 'Region code of the office, quoted, such as "62.02".'),
        "licence": Field(choice("CC-BY-4.0", "CC0-1.0"), "CC-BY-4.0 when left out."),
        "contact": Field(kinds.WORD, "E-mail address for questions about the data."),
        "address": Field(kinds.URL, "Where the datasets will be found, such as https://data.kab.go.id/bandwidth."),
        "least": Field(number(2, 100, whole=True), "Fewer links than that are not shown apart; 3 when left out."),
    },
)
TELEGRAM = Shape(
    "telegram",
    {
        "token": _needed(SECRET, Said("of the bot, from BotFather")),
        "chat": _needed(kinds.WORD, Said('id of the chat, quoted, such as "-1001234567890", or @channel')),
        "api": Field(kinds.URL, "A Bot API server of the office's own."),
    },
)
EMAIL = Shape(
    "email",
    {
        "host": _needed(kinds.ADDRESS, Said("the mail server that takes messages")),
        "port": Field(kinds.PORT, "587 when left out."),
        "security": Field(choice("starttls", "tls", "none"), "Starttls when left out; none for a relay on this machine."),
        "user": Field(kinds.WORD),
        "password": Field(SECRET),
        "ca": Field(kinds.WORD, "File of the certificate authority that signed the server's certificate, relative to this file."),
        "from": _needed(kinds.WORD, Said("whose messages they are, such as bwmgr@example.go.id")),
        "to": _needed(ListOf(kinds.WORD), Said("whom they go to")),
    },
)
WEBHOOK = Shape(
    "webhook",
    {
        "url": Field(kinds.URL, "Where a POST goes to."),
        "secret_url": Field(SECRET, "The same, where the address itself lets people in."),
        "headers": Field(MapOf(SECRET, kinds.HEADER), "Such as Authorization."),
        "template": Field(kinds.LINES, "Jinja2 template of the body: text, subject, severity, kind, link; JSON when left out."),
        "content_type": Field(kinds.WORD, "Of the body; application/json when left out."),
    },
)
_SEVERITY = choice("info", "warning", "critical")
RECEIVER = Shape(
    "receiver",
    {
        "id": ID,
        "telegram": Field(TELEGRAM),
        "email": Field(EMAIL),
        "webhook": Field(WEBHOOK, "Any HTTP service, gateways to WhatsApp among them."),
        "severity": Field(_SEVERITY, "The least that is told at all; info when left out."),
        "kinds": Field(
            ListOf(choice("recommendation", "saturation", "silence", "provider", "event", "enforcement", "trail")),
            "Only these; all when left out.",
        ),
        "digest": Field(kinds.CLOCK, 'Once a day at this time, such as "07:30", instead of one by one.'),
        "at_once": Field(_SEVERITY, "The least that does not wait for the digest; critical when left out."),
        "quiet": Field(kinds.HOURS, 'Hours in which only critical is told, such as "21:00-06:00".'),
        "most_per_hour": Field(number(1, 1000, whole=True), "Messages in an hour; more become one. 20 when left out."),
        "language": Field(choice("id", "en"), "The organisation's when left out."),
    },
)
NOTIFY = Shape(
    "notify",
    {
        "receivers": Field(ListOf(RECEIVER)),
        "pages": Field(kinds.URL, "Where people open the web pages, for the link in each message."),
        "every": Field(duration(5), "So often it is looked whether there is something to tell; 2m."),
        "silent": Field(duration(60), "A router without an answer in so long is told of; 15m."),
        "saturated": Field(duration(60), "A link at its limit for so long is told of; 15m."),
        "event": Field(duration(0), "So long before its start an event is told of; 1d."),
        "keep_trying": Field(duration(60), "What cannot be delivered in so long is given up; 2d."),
    },
)
CONFIGURATION = Shape(
    "configuration",
    {
        "organisation": _needed(ORGANISATION, "{name: ..., timezone: Asia/Jakarta, language: id}"),
        "calendars": Field(MapOf(Week())),
        "store": Field(STORE),
        "snmp": Field(SNMP),
        "credentials": Field(MapOf(CREDENTIAL)),
        "netflow": Field(NETFLOW),
        "daemon": Field(DAEMON),
        "providers": Field(ListOf(PROVIDER)),
        "devices": Field(ListOf(DEVICE)),
        "nodes": Field(ListOf(NODE)),
        "links": Field(ListOf(LINK)),
        "rollout": Field(ListOf(POINT), "How far each link is, above its own site:; `bwmgr rollout import` writes it."),
        "events": Field(ListOf(EVENT)),
        "maintenance": Field(ListOf(MAINTENANCE), "Agreed times without service."),
        "policies": Field(ListOf(Chosen()), "In order of precedence; the built-in ones with their defaults when left out."),
        "documents": Field(DOCUMENTS, "What is signed and sent: templates, place, signers."),
        "trial": Field(TRIAL, "What a trial is judged by."),
        "people": Field(ListOf(PERSON), "Who may do what; left out: everybody who can run bwmgr, everything."),
        "approval": Field(APPROVAL, "What is approved by rule, and when nothing is applied."),
        "open_data": Field(OPEN_DATA, "What published data say of themselves."),
        "notify": Field(NOTIFY, "Who is told what, and how."),
        "journal": Field(JOURNAL, "The trail of what people and the engine did."),
        "guards": Field(GUARDS, "How careful recommendations are; the same for all policies."),
    },
)
