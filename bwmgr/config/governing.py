"""The keys `people:`, `approval:` and `journal:`: who may do what, when nothing is applied, and by whose key the trail is signed.

Owns what they come to, how they are shown, and what must hold among them. Their names and kinds are in `bwmgr.config.shapes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bwmgr.config.named import Named
from bwmgr.config.reading import Record
from bwmgr.config.settings import JournalSection
from bwmgr.config.shown_inventory import given, secret
from bwmgr.errors import UsageError
from bwmgr.model.people import ApprovalRules, Freeze, Person, PreApproval, Role
from bwmgr.model.said import Said, said_by
from bwmgr.model.units import rate_text

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings

SHORTEST_TOKEN = 16
"""Characters of a person's token: fewer could be guessed."""


def sections(root: Record, zone: ZoneInfo) -> dict[str, Any]:
    """The fields of `Settings` that come of the three sections; fewer where they are left out."""
    found: dict[str, Any] = {}
    if (people := root.get("people")) is not None:
        found["people"] = tuple(_person(one) for one in people)
    if (approval := root.get("approval")) is not None:
        found["approval"] = _approval(approval, zone)
    if (journal := root.get("journal")) is not None:
        folder = Path(journal.source.file).absolute().parent
        earlier = tuple((folder / path).resolve() for path in journal.get("earlier_keys", []))
        found["journal"] = JournalSection(key=journal.get("key"), earlier_keys=earlier)
    return found


def shown(settings: Settings) -> dict[str, Any]:
    """In the configuration's words; keys and tokens only as where they come from."""
    journal = given(key=secret(settings.journal.key), earlier_keys=[str(path) for path in settings.journal.earlier_keys])
    zone = ZoneInfo(settings.inventory.organisation.timezone)
    return given(
        people=[_shown_person(one) for one in settings.people],
        approval=_shown_approval(settings.approval, zone),
        journal=journal,
    )


def _person(record: Record) -> Person:
    return Person(
        id=record.get("id"),
        name=record.get("name", record.get("id")),
        users=tuple(record.get("users", [])),
        roles=tuple(Role(role) for role in record.get("roles")),
        token=record.get("token"),
    )


def _approval(record: Record, zone: ZoneInfo) -> ApprovalRules:
    rule = record.get("pre_approve")
    return ApprovalRules(
        pre_approval=None if rule is None else _rule(rule),
        freezes=tuple(_freeze(one, zone) for one in record.get("freeze", [])),
    )


def _rule(record: Record) -> PreApproval:
    return PreApproval(
        policies=tuple(record.get("policies")),
        most_step_ratio=record.get("most_step"),
        most_bps=record.get("most_rate"),
        most_per_day=record.get("most_per_day"),
        classes=tuple(record.get("classes", [])),
    )


def _freeze(record: Record, zone: ZoneInfo) -> Freeze:
    start, end = (_utc(record.get(key), zone) for key in ("start", "end"))
    return Freeze(reason=record.get("reason"), start=start, end=end, calendar=record.get("calendar"))


def _utc(local: datetime | None, zone: ZoneInfo) -> datetime | None:
    return None if local is None else (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)


def _shown_person(one: Person) -> dict[str, Any]:
    roles = [str(role) for role in one.roles]
    return given(id=one.id, name=one.name, users=list(one.users), roles=roles, token=secret(one.token))


def _shown_approval(rules: ApprovalRules, zone: ZoneInfo) -> dict[str, Any]:
    rule = rules.pre_approval
    pre_approve = rule and given(
        policies=list(rule.policies),
        most_step=f"{rule.most_step_ratio * 100:.9f}".rstrip("0").rstrip(".") + "%",
        most_rate=rate_text(rule.most_bps),
        most_per_day=rule.most_per_day,
        classes=list(rule.classes),
    )
    return given(pre_approve=pre_approve, freeze=[_shown_freeze(one, zone) for one in rules.freezes])


def _shown_freeze(one: Freeze, zone: ZoneInfo) -> dict[str, Any]:
    start, end = (None if at is None else at.astimezone(zone).isoformat() for at in (one.start, one.end))
    return given(start=start, end=end, calendar=one.calendar, reason=one.reason)


class GovernChecks(Named):
    def check_governing(self) -> None:
        people = self._index("people", self.root.get("people", []))
        self._users(people)
        self._approval(self.root.get("approval"))
        self._journal()

    def _approval(self, approval: Record | None) -> None:
        if approval is None:
            return
        for freeze in approval.get("freeze", []):
            self._freeze(freeze)
        rule = approval.get("pre_approve")
        if rule is None:
            return
        for name in rule.get("policies", []):
            if name not in self.policies:
                self.blame(
                    rule,
                    "policies",
                    Said("there is no policy {name!r}; write one of {policies}", name=name, policies=", ".join(self.policies)),
                )
            elif name in ("lift", "override"):
                self.blame(
                    rule,
                    "policies",
                    Said("{name} is what a person asks for: a second person decides on it; take it away", name=name),
                )

    def _users(self, people: Mapping[str, Record]) -> None:
        """Each system user and token stands for one person, or nobody could say who acted."""
        taken: dict[str, Record] = {}
        for person in people.values():
            for user in person.get("users", []):
                if user in taken:
                    self.blame(
                        person,
                        "users",
                        Said(
                            "{user} is {person} already, at {where}",
                            user=user,
                            person=taken[user].get("id"),
                            where=self.place(taken[user], "users"),
                        ),
                    )
                taken.setdefault(user, person)
            token = person.get("token")
            text = token.reveal() if token else ""  # empty too where secrets are not looked up
            if text and len(text) < SHORTEST_TOKEN:
                problem = Said("shorter than {count} characters; make one by `openssl rand -hex 24`", count=SHORTEST_TOKEN)
                self.blame(person, "token", problem)
            if not {"users", "token"} & person.source.entries.keys():
                self.blame(person, "users", Said("missing, and token too: nobody could act as this person; write users: [NAME]"))
        self._tokens(people)

    def _tokens(self, people: Mapping[str, Record]) -> None:
        seen: dict[str, str] = {}
        for name, person in people.items():
            token = person.get("token")
            if token and token.reveal() and seen.setdefault(token.reveal(), name) != name:
                self.blame(
                    person, "token", Said("is the token of {person} too; give each person another", person=seen[token.reveal()])
                )

    def _freeze(self, freeze: Record) -> None:
        keys = freeze.source.entries.keys()
        if "calendar" in keys:
            self.refer(freeze, "calendar", self.named("calendars") | {"always"}, Said("calendar"))
            for key in {"start", "end"} & keys:
                self.blame(freeze, key, Said("belongs to one time; a calendar says by itself when; take one of them away"))
        elif not {"start", "end"} <= keys:
            self.blame(freeze, "", Said("needs start: and end:, or calendar: for one that comes again"))
        start, end = freeze.get("start"), freeze.get("end")
        if start and end and self.instant(end) <= self.instant(start):
            self.blame(freeze, "end", Said("is not after the start; it is the first moment that no longer belongs to it"))

    def _journal(self) -> None:
        from bwmgr.stores.journal_keys import signing_key, verifying_key

        journal = self.root.get("journal")
        if journal is None:
            return
        key = journal.get("key")
        try:
            if key and key.reveal():
                signing_key(key.reveal(), key.source.partition(":")[2])
        except UsageError as error:
            self.blame(journal, "key", said_by(error))
        for path in journal.get("earlier_keys", []):
            try:
                verifying_key(Path(journal.source.file).absolute().parent / path)
            except UsageError as error:
                self.blame(journal, "earlier_keys", said_by(error))
