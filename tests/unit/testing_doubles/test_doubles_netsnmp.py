"""The virtual routers, asked by net-snmp's own tools: peers that share no line with us."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bwmgr.testing.mib import Port, PortState, System
from bwmgr.testing.router import VirtualRouter
from bwmgr.testing.server import AgentServer
from bwmgr.testing.usm import User

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("snmpget") is None, reason="net-snmp's tools are not installed"),
]

AUTH, PRIV = "sandi otentikasi", "sandi enkripsi"
NAMES, ALIASES, IN_OCTETS = ".1.3.6.1.2.1.31.1.1.1.1", ".1.3.6.1.2.1.31.1.1.1.18", ".1.3.6.1.2.1.31.1.1.1.6"
PAIRS = [("MD5", "DES"), ("SHA", "AES"), ("SHA-224", "AES"), ("SHA-256", "AES"), ("SHA-384", "AES"), ("SHA-512", "AES")]
USERS = [
    User(name="terbuka"),
    User(name="sha", auth=("SHA", AUTH)),
    *(User(name=f"{auth}-{priv}".lower(), auth=(auth, AUTH), priv=(priv, PRIV)) for auth, priv in PAIRS),
]


class _Peer:
    """net-snmp's tools against one router; `lines` gives what they print, numeric and raw."""

    def __init__(self, agent: VirtualRouter, server: AgentServer, folder: Path) -> None:
        self.agent = agent
        self._target = f"127.0.0.1:{server.port}"
        self._environment = {**os.environ, "MIBS": "", "SNMP_PERSISTENT_DIR": str(folder), "SNMPCONFPATH": str(folder)}

    def lines(self, tool: str, options: list[str], *oids: str) -> list[str]:
        command = [tool, *options, "-On", "-t", "1", "-r", "1", self._target, *oids]
        done = subprocess.run(command, capture_output=True, text=True, env=self._environment, timeout=30, check=False)
        return [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("Created directory")]


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Peer]:
    ports = [
        Port(
            if_index=index,
            if_name=f"ether{index}",
            if_alias=f"Dinas {index}",
            read=lambda _: PortState(in_octets=2**63 + 5, out_octets=12, oper_up=False),
        )
        for index in range(1, 121)
    ]
    agent = VirtualRouter(System(name="maya"), ports, communities=["publik"], users=USERS)
    server = AgentServer({"127.0.0.1": agent}.get, lambda: int(time.time() * 1000))
    server.start()
    yield _Peer(agent, server, tmp_path_factory.mktemp("netsnmp"))
    server.stop()


def v3(user: User, auth: str = AUTH, priv: str = PRIV) -> list[str]:
    options = ["-v3", "-u", user.name, "-l", ("noAuthNoPriv", "authNoPriv", "", "authPriv")[user.level]]
    options += ["-a", user.auth[0], "-A", auth] if user.auth else []
    return options + (["-x", user.priv[0], "-X", priv] if user.priv else [])


@pytest.mark.parametrize(("tool", "version"), [("snmpwalk", "-v1"), ("snmpwalk", "-v2c"), ("snmpbulkwalk", "-v2c")])
def test_walks(peer: _Peer, tool: str, version: str) -> None:
    """GETNEXT and GETBULK walks list every port once, in order, and end."""
    lines = peer.lines(tool, [version, "-c", "publik"], NAMES)
    assert lines == [f'{NAMES}.{index} = STRING: "ether{index}"' for index in range(1, 121)]


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
def test_every_user(peer: _Peer, user: User) -> None:
    """Every level and pair of protocols that net-snmp has understands the double, and the double it."""
    lines = peer.lines("snmpbulkwalk", v3(user), ALIASES)
    assert len(lines) == 120
    assert lines[0] == f'{ALIASES}.1 = STRING: "Dinas 1"'


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (v3(USERS[-1], auth="sandi yang keliru"), "Authentication failure"),
        (v3(User(name="tiada")), "Unknown user name"),
        (v3(User(name=USERS[-1].name, auth=USERS[-1].auth)), "Unsupported security level"),
        (v3(USERS[-1], priv="sandi yang keliru"), "Decryption error"),
    ],
    ids=["key", "user", "level", "privacy"],
)
def test_refusals(peer: _Peer, options: list[str], said: str) -> None:
    """net-snmp reads our reports as what they mean."""
    assert any(said in line for line in peer.lines("snmpget", options, f"{NAMES}.1"))


def test_types(peer: _Peer) -> None:
    """Values bear the types of RFC 2863, a Counter64 above 2^63 is positive."""
    oids = [
        f"{IN_OCTETS}.1",
        ".1.3.6.1.2.1.2.2.1.8.1",
        ".1.3.6.1.2.1.31.1.1.1.15.1",
        ".1.3.6.1.2.1.1.2.0",
        ".1.3.6.1.2.1.2.2.1.10.1",
    ]
    lines = peer.lines("snmpget", ["-v2c", "-c", "publik"], *oids)
    assert [line.split(" = ")[1] for line in lines] == [
        "Counter64: 9223372036854775813",
        "INTEGER: 2",
        "Gauge32: 1000",
        "OID: .1.3.6.1.4.1.8072.3.2.10",
        "Counter32: 5",
    ]


def test_what_is_not_there(peer: _Peer) -> None:
    """noSuchInstance and noSuchObject in v2c, noSuchName in v1, Counter64 unseen by v1."""
    community = ["-c", "publik"]
    assert "No Such Instance" in peer.lines("snmpget", ["-v2c", *community], f"{NAMES}.999")[0]
    assert "No Such Object" in peer.lines("snmpget", ["-v2c", *community], ".1.3.6.1.2.1.99.1.0")[0]
    assert any("noSuchName" in line for line in peer.lines("snmpget", ["-v1", *community], f"{NAMES}.999"))
    assert any("noSuchName" in line for line in peer.lines("snmpget", ["-v1", *community], f"{IN_OCTETS}.1"))


def test_a_walk_of_everything_ends(peer: _Peer) -> None:
    """A whole walk of everything ends at the end of the MIB view, without an OID that does not increase."""
    lines = peer.lines("snmpbulkwalk", ["-v2c", "-c", "publik"], ".1")
    assert len(lines) == 7 + 1 + 26 * 120 + 1  # system group, ifNumber, columns, and the remark that the view has ended
    assert not any("not increasing" in line for line in lines)


def test_wrong_community(peer: _Peer) -> None:
    """A wrong community is silence, counted."""
    before = peer.agent.dropped["wrong_community"]
    assert any("Timeout" in line for line in peer.lines("snmpget", ["-v2c", "-c", "salah"], f"{NAMES}.1"))
    assert peer.agent.dropped["wrong_community"] > before
