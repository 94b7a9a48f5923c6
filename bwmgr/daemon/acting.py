"""Who acts: the person behind this process, and whether the office lets that person do this.

Owns what is believed. The kernel's word (the real user id, and the login id that audit keeps through sudo and su) before the
environment's: LOGNAME and USER are anybody's to set, SUDO_UID too for whoever has a shell as the service's user. Without
`people:` in the configuration nobody is held back, and `--by` is taken as said.
"""

from __future__ import annotations

import hmac
import os
import pwd
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bwmgr.errors import UsageError
from bwmgr.model.journal import Actor
from bwmgr.model.people import Person, Role
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings

TOKEN = "BWMGR_TOKEN"  # noqa: S105  # the variable's name
_LOGIN_UID = Path("/proc/self/loginuid")
_UNSET = 2**32 - 1


def system_user(environment: Mapping[str, str] = os.environ, login_uid: Path = _LOGIN_UID) -> str:
    """The user of this machine who started this, also through sudo.

    Through sudo: the login that the kernel kept, where it keeps one; else whom sudo names. Not through sudo: the real user.
    """
    uid = os.getuid()
    said = environment.get("SUDO_UID", "")
    if said.isascii() and said.isdigit():
        kept = _kept(login_uid)
        uid = int(said) if kept is None else kept
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


def acting(
    settings: Settings, by: str | None, role: Role | None, *, user: str | None = None, environment: Mapping[str, str] = os.environ
) -> Actor:
    """Who acts in `role`, as it is written down. `by`: whom the command line names; `role` None: anybody may.

    Raises: UsageError where that is another person than the one behind this process or BWMGR_TOKEN, a stranger to `people:`, or
    one without the role.
    """
    user = system_user(environment) if user is None else user
    if not settings.people:
        return Actor(name=by or user, user=user)
    person = _by_token(settings.people, environment.get(TOKEN, ""))
    known = person is not None
    person = person or next((one for one in settings.people if user in one.users), None)
    if person is None:
        if role is None:
            return Actor(name=user, user=user)
        raise UsageError(
            Said(
                "{user} is nobody of people: in the configuration: ask for an entry there, or set {token}", user=user, token=TOKEN
            )
        )
    if by is not None and by not in (person.id, person.name, *person.users):
        raise _another(by, person.id, None if known else user)
    if role is not None and role not in person.roles:
        held = ", ".join(str(one) for one in person.roles)
        raise UsageError(Said("{person} is {held}: this needs the role {role}", person=person.id, held=held, role=role))
    return Actor(name=person.id, user=user, role=str(role or ""))


def _another(by: str, person: str, user: str | None) -> UsageError:
    """`user` None: the token said who it is."""
    if user is None:
        said = Said(
            "--by {by}: {token} is {person}; only {by} may act as {by}, with an own login or {token}",
            by=by,
            token=TOKEN,
            person=person,
        )
    else:
        said = Said(
            "--by {by}: the system user {user} is {person}; only {by} may act as {by}, with an own login or {token}",
            by=by,
            user=user,
            person=person,
            token=TOKEN,
        )
    return UsageError(said)


def same_person(people: Sequence[Person], one: str, other: str) -> bool:
    """Do two names that were written down stand for one person? By id, name or system user."""
    return one == other or any({one, other} <= {person.id, person.name, *person.users} for person in people)


def _kept(login_uid: Path) -> int | None:
    """The login's user id, as the kernel has it (audit, CONFIG_AUDIT); None where it keeps none."""
    try:
        uid = int(login_uid.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if uid == _UNSET else uid


def _by_token(people: Sequence[Person], given: str) -> Person | None:
    """Raises: UsageError for a token of nobody."""
    if not given:
        return None
    found = None
    for person in people:  # all of them, so that the time it takes says nothing
        known = person.token.reveal() if person.token is not None else ""
        if known and hmac.compare_digest(known.encode(), given.encode()):
            found = person
    if found is None:
        raise UsageError(Said("{token} is nobody's token: take it away, or set the right one", token=TOKEN))
    return found
