"""Who acts: what of a process is believed, and what each role may."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bwmgr.daemon.acting import TOKEN, acting, same_person, system_user
from bwmgr.errors import UsageError
from bwmgr.model.people import Person, Role
from bwmgr.model.secret import Secret

ME = pwd.getpwuid(os.getuid()).pw_name
NOBODY = pwd.getpwnam("nobody")
PEOPLE = (
    Person(id="sari", name="Sari Dewi", users=("sari", "sdewi"), roles=(Role.OPERATOR,)),
    Person(id="budi", name="Budi", users=("budi",), roles=(Role.APPROVER,), token=Secret("s3cr3t-token-of-budi")),
    Person(id="ani", name="Ani", users=("ani",), roles=(Role.OPERATOR, Role.APPROVER)),
    Person(id="bpk", name="BPK", token=Secret("s3cr3t-token-of-bpk"), roles=(Role.AUDITOR,)),
)
OFFICE: Any = SimpleNamespace(people=PEOPLE)
OPEN: Any = SimpleNamespace(people=())


@pytest.fixture
def login(tmp_path: Path) -> Path:
    """What the kernel keeps of the login: none, until it is written."""
    (tmp_path / "loginuid").write_text("4294967295")
    return tmp_path / "loginuid"


def test_the_user_is_the_kernel_s_word_not_the_environment_s(login: Path) -> None:
    """LOGNAME and USER are anybody's to set."""
    assert system_user({"LOGNAME": "budi", "USER": "budi", "SUDO_USER": "budi"}, login) == ME


def test_through_sudo_it_is_who_typed_it(login: Path) -> None:
    """The service's user runs the command; the person is whom sudo names."""
    assert system_user({"SUDO_UID": str(NOBODY.pw_uid), "SUDO_USER": "nobody"}, login) == "nobody"


def test_the_kernel_s_login_is_believed_before_sudo_s_variable(login: Path) -> None:
    """Whoever has a shell as the service's user can set SUDO_UID, not the login that audit keeps; su between changes nothing."""
    login.write_text(str(NOBODY.pw_uid))
    assert system_user({"SUDO_UID": "0"}, login) == "nobody"
    assert system_user({}, login) == ME


@pytest.mark.parametrize("uid", ["", "-1", "root", "١", "99999999999999999999"])
def test_a_broken_variable_names_nobody_else(login: Path, uid: str) -> None:
    """What is no user id is not believed, or is shown as it stands."""
    assert system_user({"SUDO_UID": uid}, login) in (ME, uid)


def test_a_user_without_a_name_is_a_number(login: Path) -> None:
    """As in containers."""
    assert system_user({"SUDO_UID": "54321"}, login) == "54321"


def test_without_people_everybody_may_and_says_who_he_is() -> None:
    """As it was before there was `people:`."""
    assert acting(OPEN, "Kepala Bidang", Role.APPROVER, user="root", environment={}).name == "Kepala Bidang"
    assert acting(OPEN, None, Role.OPERATOR, user="root", environment={}).name == "root"


@pytest.mark.parametrize(
    ("user", "role", "may"),
    [
        ("sari", Role.OPERATOR, True),
        ("sdewi", Role.OPERATOR, True),
        ("sari", Role.APPROVER, False),
        ("budi", Role.APPROVER, True),
        ("budi", Role.OPERATOR, False),
        ("ani", Role.OPERATOR, True),
        ("ani", Role.APPROVER, True),
        ("root", Role.OPERATOR, False),
        ("root", Role.APPROVER, False),
    ],
)
def test_each_role_may_its_own(user: str, role: Role, may: bool) -> None:
    """An operator proposes and applies, an approver decides; a stranger, root too, does neither."""
    if may:
        actor = acting(OFFICE, None, role, user=user, environment={})
        assert (actor.user, actor.role) == (user, role)
    else:
        with pytest.raises(UsageError, match=r"needs the role|nobody of people"):
            acting(OFFICE, None, role, user=user, environment={})


def test_anybody_reads() -> None:
    """What changes nothing asks for no role."""
    assert acting(OFFICE, None, None, user="root", environment={}).name == "root"


def test_by_must_be_the_person_behind_the_process() -> None:
    """Sari cannot sign as Budi, whatever she types; her own names she may."""
    with pytest.raises(UsageError, match="only budi may act as budi"):
        acting(OFFICE, "budi", Role.OPERATOR, user="sari", environment={})
    assert acting(OFFICE, "Sari Dewi", Role.OPERATOR, user="sari", environment={}).name == "sari"


def test_a_token_says_who_it_is() -> None:
    """At a shared login, or for somebody without one; the system user is written down beside."""
    actor = acting(OFFICE, "budi", Role.APPROVER, user="noc", environment={TOKEN: "s3cr3t-token-of-budi"})
    assert (actor.name, actor.user, actor.role) == ("budi", "noc", "approver")
    with pytest.raises(UsageError, match="bpk is auditor: this needs the role approver"):
        acting(OFFICE, None, Role.APPROVER, user="noc", environment={TOKEN: "s3cr3t-token-of-bpk"})


def test_a_wrong_token_is_refused_and_not_repeated() -> None:
    """It does not fall back to the system user (fault 53)."""
    with pytest.raises(UsageError, match="nobody's token") as refused:
        acting(OFFICE, None, Role.OPERATOR, user="sari", environment={TOKEN: "s3cr3t-guess"})
    assert "s3cr3t" not in str(refused.value)


def test_one_person_under_two_names_is_one() -> None:
    """For the rule that the approver is not the author."""
    assert same_person(PEOPLE, "sdewi", "Sari Dewi")
    assert not same_person(PEOPLE, "sari", "budi")
    assert same_person((), "x", "x")
