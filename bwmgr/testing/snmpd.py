"""A real net-snmp snmpd on loopback: the independent peer of the collector.

Owns its configuration, its folder and its life. Needs the program `snmpd` (Debian: snmpd); `program()` says whether it is there.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bwmgr.testing import ber, pdu
from bwmgr.testing.usm import User

COMMUNITY = "publik"
AUTH_PHRASE = "sandi otentikasi"
PRIV_PHRASE = "sandi enkripsi"
_PATHS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
_START_SECONDS = 10.0


def users() -> tuple[User, ...]:
    """One user for each level and for each pair of protocols that net-snmp has; named after them in lower case."""
    pairs = (("MD5", "DES"), ("SHA", "AES"), ("SHA-224", "AES"), ("SHA-256", "AES"), ("SHA-384", "AES"), ("SHA-512", "AES"))
    private = (_user(f"{auth}-{priv}", auth, priv) for auth, priv in pairs)
    return (User(name="noauth"), _user("sha-only", "SHA"), _user("md5-only", "MD5"), *private)


def _user(name: str, auth: str, priv: str | None = None) -> User:
    return User(name=name.lower(), auth=(auth, AUTH_PHRASE), priv=(priv, PRIV_PHRASE) if priv else None)


def program() -> str | None:
    """Where snmpd is; None where it is not installed. Daemons are not on every user's PATH."""
    return shutil.which("snmpd", path=os.pathsep.join((os.environ.get("PATH", ""), *_PATHS)))


@dataclass(frozen=True, kw_only=True)
class Snmpd:
    """A running agent."""

    address: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes]


@contextmanager
def running(
    folder: Path, *, address: str = "127.0.0.1", known: Sequence[User] | None = None, extra: Sequence[str] = (), port: int = 0
) -> Iterator[Snmpd]:
    """An agent on a free port with community `COMMUNITY` and the users `known` (default: `users()`); ended on exit.

    `folder` takes its configuration and persistent files: the same folder again is the same engine, booted once more. `extra` are
    further lines of configuration. Raises: RuntimeError where it is not installed or does not answer.
    """
    executable = program()
    if executable is None:
        raise RuntimeError("snmpd is not installed (Debian: apt-get install snmpd)")
    folder.mkdir(parents=True, exist_ok=True)
    chosen = port or _free_port(address)
    listen = f"udp6:[{address}]:{chosen}" if ":" in address else f"udp:{address}:{chosen}"
    configuration = folder / "snmpd.conf"
    configuration.write_text("\n".join((*_configuration(listen, users() if known is None else known), *extra, "")))
    process = _start(executable, configuration, folder)
    try:
        _await_answer(address, chosen, process, folder)
        yield Snmpd(address=address, port=chosen, folder=folder, process=process)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _configuration(listen: str, known: Sequence[User]) -> list[str]:
    lines = [f"agentaddress {listen}", "sysName snmpd-uji", f"rocommunity {COMMUNITY}", f"rocommunity6 {COMMUNITY}"]
    for user in known:
        auth = f" {user.auth[0]} {_quoted(user.auth[1])}" if user.auth else ""
        priv = f" {user.priv[0]} {_quoted(user.priv[1])}" if user.priv else ""
        level = "priv" if user.priv else "auth" if user.auth else "noauth"
        lines += [f"createUser {user.name}{auth}{priv}", f"rouser {user.name} {level}"]
    return lines


def _quoted(phrase: str) -> str:
    return f'"{phrase}"'


def _start(executable: str, configuration: Path, folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SNMP_PERSISTENT_DIR": str(folder / "persistent"), "SNMPCONFPATH": str(folder), "MIBS": ""}
    with (folder / "snmpd.log").open("ab") as log:
        return subprocess.Popen(
            [executable, "-f", "-Lo", "-C", "-c", str(configuration), "-I", "-smux"], stdout=log, stderr=log, env=environment
        )


def _free_port(address: str) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def _await_answer(address: str, port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    until = time.monotonic() + _START_SECONDS
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        probe.connect((address, port))
        while time.monotonic() < until and process.poll() is None:
            try:
                probe.send(_probe())
                probe.recv(65535)
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                time.sleep(0.02)  # not bound yet; a refused send returns at once
                continue
            return
    log = (folder / "snmpd.log").read_text(errors="replace")
    raise RuntimeError(f"snmpd does not answer on {address}:{port}: {log[-500:]}")


def _probe() -> bytes:
    """A v2c GET of sysUpTime.0, from the doubles' codec."""
    binding = pdu.binding((1, 3, 6, 1, 2, 1, 1, 3, 0), ber.EMPTY)
    return ber.tlv(ber.SEQUENCE, ber.integer(pdu.VERSION_2C) + ber.octets(COMMUNITY) + pdu.write_pdu(pdu.GET, 1, binding))
