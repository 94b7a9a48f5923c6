"""Routers that are configured by typed lines over SSH, as the vendors' documentation shows their dialogues: prompts, errors.

Owns the SSH server (paramiko) and the terminal; what the lines do is `bwmgr.testing.ios` and `bwmgr.testing.junos`. Not routers:
they shape nothing, and what the documentation leaves open is not here.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

USER, PASSWORD = "bwmgr", "sandi router"
_KEY = paramiko.ECDSAKey.generate()


class Dialect(Protocol):
    """What a router of one vendor makes of typed lines, in one session."""

    @property
    def prompt(self) -> str: ...

    def typed(self, line: str) -> str:
        """Does what the line says; what is printed, before the next prompt."""
        ...

    @property
    def ended(self) -> bool: ...


class Box(Protocol):
    """A router: what is kept between sessions."""

    def session(self) -> Dialect: ...


@dataclass
class CliRouter:
    """A running router: where it listens, and all that was typed, of all sessions."""

    port: int
    host_keys: Path
    typed: list[str] = field(default_factory=list)
    deaf: bool = False
    """It takes what is typed and says nothing any more."""


class _Server(paramiko.ServerInterface):
    def __init__(self) -> None:
        self.shell = threading.Event()

    def check_auth_password(self, username: str, password: str) -> int:
        right = (username, password) == (USER, PASSWORD)
        return AUTH_SUCCESSFUL if right else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_pty_request(self, *asked: object) -> bool:
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        self.shell.set()
        return True


@contextmanager
def running(box: Box, folder: Path) -> Iterator[CliRouter]:
    """`box` behind an SSH server on a free port of 127.0.0.1; its host key in a file as known_hosts."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    keys = folder / "known_hosts"
    keys.write_text(f"[127.0.0.1]:{port} {_KEY.get_name()} {_KEY.get_base64()}\n")
    router = CliRouter(port=port, host_keys=keys)
    transports: list[paramiko.Transport] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            transport = paramiko.Transport(connection)
            transports.append(transport)
            threading.Thread(target=_serve, args=(transport, box, router), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield router
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for transport in transports:
            transport.close()


def _serve(transport: paramiko.Transport, box: Box, router: CliRouter) -> None:
    """One connection: a login, a shell, and a dialogue until either side ends it."""
    transport.add_server_key(_KEY)
    server = _Server()
    try:
        transport.start_server(server=server)
        channel = transport.accept(20)
        if channel is None or not server.shell.wait(20):
            return
        _talk(channel, box.session(), router)
    except (paramiko.SSHException, OSError, EOFError):
        return  # the other side is gone, or never was one
    finally:
        transport.close()


def _talk(channel: paramiko.Channel, dialect: Dialect, router: CliRouter) -> None:
    channel.sendall(f"\r\n{dialect.prompt}".encode())
    waiting = b""
    while octets := channel.recv(4096):
        waiting += octets
        while b"\n" in waiting or b"\r" in waiting:
            line, _, waiting = waiting.replace(b"\r", b"\n").partition(b"\n")
            text = line.decode()
            if text:
                router.typed.append(text)
            if router.deaf:
                continue
            said = dialect.typed(text.strip())
            if dialect.ended:
                channel.sendall(f"{text}\r\n".encode())
                return
            body = "".join(f"{one}\r\n" for one in said.splitlines())
            channel.sendall(f"{text}\r\n{body}{dialect.prompt}".encode())
