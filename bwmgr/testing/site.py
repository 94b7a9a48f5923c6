"""A small site to run the whole program against: virtual routers on loopback, a configuration, the daemon as a process.

For tests and benchmarks. Owns the processes that it starts and nothing else; waits for what the daemon says (sd_notify, its log),
never for a time to pass.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bwmgr.testing.mib import Port, PortState, System
from bwmgr.testing.router import VirtualRouter
from bwmgr.testing.server import AgentServer

COMMUNITY = "site-community"
PATIENCE_SECONDS = 60.0
OCTETS_PER_SECOND = 125_000
"""Link 0 downloads 1 Mbit/s, link 1 twice that, and so on; each uploads a quarter of it."""


class Site:
    """`links` links, each behind a router of its own at 127.71.0.N, polled every `interval_seconds`."""

    def __init__(self, folder: Path, *, links: int = 3, interval_seconds: int = 1) -> None:
        self.folder, self.links, self.interval_seconds = folder, links, interval_seconds
        self.path = folder / "bwmgr.yaml"
        self._epoch_ms = round(time.time() * 1000) - 3_600_000
        self._routers = {_address(number): self._router(number) for number in range(links)}
        self._off: set[str] = set()
        self._server = AgentServer(self._find, lambda: round(time.time() * 1000))
        self._server.start()
        self.write()

    def close(self) -> None:
        self._server.stop()

    def switch(self, link: int, *, on: bool) -> None:
        """A router that is off is silent."""
        (self._off.discard if on else self._off.add)(_address(link))

    def counted_octets(self, link: int, at_ms: int) -> int:
        """What the router of a link has counted as its download at an instant."""
        return (at_ms - self._epoch_ms) * OCTETS_PER_SECOND * (link + 1) // 1000

    def write(self, *, limit: str = "20M", more: str = "", links: int | None = None, daemon: str = "") -> None:
        """Writes the configuration. `more` is added to its end as it is, `daemon` to the keys of that section."""
        count = self.links if links is None else links
        devices = [
            f"  - {{id: router-{number}, address: {_address(number)}, port: {self._server.port}}}" for number in range(count)
        ]
        entries = [_link_yaml(number, limit) for number in range(count)]
        text = _CONFIGURATION.format(
            interval=self.interval_seconds, devices="\n".join(devices), links="\n".join(entries), daemon=daemon
        )
        self.path.write_text(text + more, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """What the program is started with: the community, and nothing of the caller's own settings."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("BWMGR_", "NOTIFY_", "WATCHDOG_"))}
        return {**kept, "SNMP_COMMUNITY": COMMUNITY, "PYTHONUNBUFFERED": "1"}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`bwmgr -c CONFIG ARGUMENTS` to its end."""
        return subprocess.run(
            self._command(arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    def json(self, *arguments: str) -> Any:
        """The document that a command prints; the command must succeed."""
        done = self.run(*arguments, "--format", "json")
        if done.returncode:
            raise AssertionError(f"{arguments} gave {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    @contextmanager
    def daemon(self) -> Iterator[Daemon]:
        """The daemon, ready; killed at the end if it still runs."""
        started = Daemon(self._command(["daemon"]), self.folder, self.environment)
        try:
            started.wait_for_message("READY=1")
            yield started
        finally:
            started.end()

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "bwmgr", "-c", str(self.path), *arguments]

    def _find(self, address: str) -> VirtualRouter | None:
        return None if address in self._off else self._routers.get(address)

    def _router(self, number: int) -> VirtualRouter:
        def read(now_ms: int) -> PortState:
            octets = self.counted_octets(number, now_ms)
            return PortState(out_octets=octets, in_octets=octets // 4)

        ports = [Port(if_index=7, if_name="ether1", read=read)]
        return VirtualRouter(System(name=f"router-{number}"), ports, communities=[COMMUNITY], booted_ms=lambda _: self._epoch_ms)


class Daemon:
    """A running `bwmgr daemon`: its log lines and what it tells the service manager, as they come."""

    def __init__(self, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self._changed = threading.Condition()
        self.log: list[dict[str, Any]] = []
        self.messages: list[str] = []
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(f"\0bwmgr-{os.getpid()}-{id(self)}")  # abstract: no file to leave behind
        name = "@" + self._notify.getsockname()[1:].decode()
        self.process = subprocess.Popen(
            command, cwd=folder, env={**environment, "NOTIFY_SOCKET": name}, stderr=subprocess.PIPE, text=True
        )
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._read_log, self._read_messages)]
        for thread in self._threads:
            thread.start()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Its exit code."""
        code = self.process.wait(seconds)
        self._threads[0].join(seconds)
        return code

    def wait_for_message(self, start: str, *, count: int = 1) -> str:
        """The latest message that starts so, once there are `count` of them."""
        self._wait(lambda: sum(message.startswith(start) for message in self.messages) >= count, start)
        return [message for message in self.messages if message.startswith(start)][-1]

    def wait_for_log(self, event: str, *, count: int = 1) -> list[dict[str, Any]]:
        """All lines of that event, once there are `count` of them."""
        self._wait(lambda: len(self.logged(event)) >= count, event)
        return self.logged(event)

    def wait_for_cycles(self, count: int) -> None:
        """Until so many more cycles have been committed."""
        self.wait_for_log("cycle done", count=len(self.logged("cycle done")) + count)

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line.get("event") == event]

    def end(self) -> None:
        """Kills it if it still runs, and closes what listens to it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._threads[0].join()
        if self.process.stderr is not None:
            self.process.stderr.close()
        self._notify.shutdown(socket.SHUT_RD)
        self._threads[1].join()
        self._notify.close()

    def _wait(self, happened: Callable[[], bool], what: str) -> None:
        with self._changed:
            # a daemon that has ended says nothing more, so waiting for it is over at once
            self._changed.wait_for(lambda: happened() or self.process.poll() is not None, PATIENCE_SECONDS)
            if not happened():
                state = f"exit code {self.process.poll()}"
                raise AssertionError(f"no {what!r} ({state}); messages {self.messages[-5:]}, log {self.log[-10:]}")

    def _read_log(self) -> None:
        for line in self.process.stderr or ():
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"event": "", "text": line.rstrip()}
            with self._changed:
                self.log.append(entry if isinstance(entry, dict) else {"event": "", "text": line})
                self._changed.notify_all()
        self.process.wait()
        with self._changed:
            self._changed.notify_all()

    def _read_messages(self) -> None:
        while message := self._notify.recv(4096):
            with self._changed:
                self.messages.append(message.decode())
                self._changed.notify_all()


_CONFIGURATION = """\
organisation: {{name: Diskominfo Uji, timezone: Asia/Jakarta, language: id}}
store: {{kind: embedded, path: var}}
snmp: {{interval: {interval}s, timeout: 1s, retries: 1}}
credentials:
  default: {{version: 2c, community: {{env: SNMP_COMMUNITY}}}}
daemon: {{metrics: "127.0.0.1:0", log_format: json, log_level: debug{daemon}}}
providers:
  - id: isp
    name: PT Penyedia
    contracts:
      - {{id: isp-2026, down: 100M, up: 100M, price: 10000000, per: month, start: 2026-01-01, end: 2026-12-31}}
devices:
{devices}
nodes:
  - {{id: root, capacity: {{down: 100M, up: 100M}}}}
links:
{links}
"""


def _address(number: int) -> str:
    return f"127.71.{number // 250}.{number % 250 + 1}"


def _link_yaml(number: int, limit: str) -> str:
    interface = f"{{device: router-{number}, if_name: ether1, faces: subscriber}}"
    rates = f"limit: {{down: {limit}, up: {limit}}}, cir: {{down: 1M, up: 1M}}, mir: {{down: 50M, up: 50M}}"
    return f"  - {{id: link-{number}, name: Dinas {number}, kind: opd, parent: root, interface: {interface}, {rates}}}"
