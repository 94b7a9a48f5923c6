"""The pages' process: started beside the daemon, ended with it, and started again where it breaks.

Owns the listening socket (so that a restart loses no port), the process and its way to the daemon's health. The process runs at a
lower priority and shares nothing with polling: a reader costs a cycle nothing. Knows no page.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

import structlog

from bwmgr.errors import ConfigurationError, Mistake, system_reason
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings, WebSection

log = structlog.get_logger()

Health = Callable[[], Mapping[str, Any]]

_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy the daemon's threads' locks as they are held
_NICE = 10
_THREADS = 4
"""One page is made at a time; the others send files and wait for the store's turn."""
_ANSWER_SECONDS = 2.0
_IDLE_SECONDS = 30
_CONNECTIONS = 400
"""Slow ones hold no thread; beyond so many the rest wait for one to be done."""
_HEADER_OCTETS = 16_384
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0


class WebProcess:
    """Bound once made; serves from `start` to `close`, by the settings of the last `start`."""

    def __init__(self, web: WebSection, health: Health) -> None:
        """Raises: ConfigurationError when the address cannot be bound."""
        self.listen = web.listen
        self._socket = _listening(web.listen)
        self.port: int = self._socket.getsockname()[1]
        self._health = health
        self._settings: Settings | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, settings: Settings) -> None:
        """From now on by these settings: a process that runs by others is replaced. Requests that come meanwhile wait."""
        with self._lock:
            self._settings = settings
            if self._process is not None:
                self._process.terminate()
        if self._thread is None:
            self._thread = threading.Thread(target=self._supervise, name="web", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._stopped.set()
        with self._lock:
            if self._process is not None:
                self._process.terminate()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()

    def _supervise(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopped.is_set():
            ours, theirs = _SPAWN.Pipe()
            with self._lock:
                settings = self._settings
                if self._stopped.is_set() or settings is None:
                    return
                process = _SPAWN.Process(target=work, args=(settings, self._socket, theirs), name="bwmgr web", daemon=True)
                process.start()
                self._process = process
            theirs.close()
            log.info("web pages started", pid=process.pid, port=self.port)
            answered = self._answer(ours)
            process.join()
            if self._stopped.is_set() or self._settings is not settings:
                continue
            log.error("web pages ended, to be started again", exit_code=process.exitcode, pause_seconds=pause)
            self._stopped.wait(pause)
            pause = _FIRST_PAUSE_SECONDS if answered else min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _answer(self, channel: Connection) -> bool:
        """Tells the process the daemon's health as often as it asks, until it ends; whether it ever asked."""
        asked = False
        with channel:
            try:
                while True:
                    number = channel.recv()
                    channel.send((number, dict(self._health())))
                    asked = True
            except (EOFError, OSError):
                return asked


class DaemonHealth:
    """The daemon's health, from the process's side. Call from any thread."""

    def __init__(self, channel: Connection) -> None:
        self._channel, self._number, self._lock = channel, 0, threading.Lock()

    def __call__(self) -> Mapping[str, Any]:
        """Empty where the daemon does not answer in time."""
        with self._lock:
            self._number += 1
            try:
                self._channel.send(self._number)
                while self._channel.poll(_ANSWER_SECONDS):
                    number, facts = self._channel.recv()
                    if number == self._number:  # an earlier one came too late for its reader
                        return dict(facts)
            except (EOFError, OSError):
                pass
        return {}


def work(settings: Settings, listener: socket.socket, channel: Connection) -> None:
    """The process's main: serves until it is terminated, or the daemon is gone."""
    from waitress.server import create_server

    from bwmgr.daemon import logs
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.web.access import Access
    from bwmgr.daemon.web.site import make_site

    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they reach the whole group: the daemon decides
    os.nice(_NICE)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    logs.configure(settings.daemon.log_format, settings.daemon.log_level, logs.secrets_of(settings))
    web = settings.daemon.web
    assert web is not None
    site = make_site(Application(settings), Access(web), DaemonHealth(channel))
    server = create_server(
        site,
        sockets=[listener],
        threads=_THREADS,
        ident="",
        connection_limit=_CONNECTIONS,
        channel_timeout=_IDLE_SECONDS,
        cleanup_interval=5,
        max_request_header_size=_HEADER_OCTETS,
        max_request_body_size=1024,
    )
    server.run()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)  # nothing is written by this process


def _listening(listen: tuple[str, int]) -> socket.socket:
    host, port = listen
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        problem = Said(
            "cannot listen on {address}: {why}; choose another port, or stop what listens there",
            address=f"{host} port {port}",
            why=system_reason(error),
        )
        raise ConfigurationError([Mistake(file="", line=0, key="daemon.web", problem=problem)]) from error
