"""A real influxd 1.x, or VictoriaMetrics, on free loopback ports with folders of its own; also to be killed and started again."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

_CONFIGURATION = """
reporting-disabled = true
bind-address = "127.0.0.1:{backup}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  auth-enabled = {auth}
  max-body-size = {most_octets}
  https-enabled = {https}
  https-certificate = "{certificate}"
[monitor]
  store-enabled = false
[logging]
  level = "error"
"""
_START_SECONDS = 30.0


def influxd_programs() -> dict[str, str]:
    """What is installed: `1.6` as Debian has it, `1.8` where BWMGR_INFLUXD18 names it or it is in the cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "bwmgr" / "influxd-1.8.10"
    found = {"1.6": shutil.which("influxd"), "1.8": shutil.which(os.environ.get("BWMGR_INFLUXD18", str(cache)))}
    return {version: path for version, path in found.items() if path}


class Influxd:
    """Context manager: runs from its entry to its exit. `most_octets`: the largest request that it takes; 0: any.

    `certificate`: a file with a certificate of 127.0.0.1 and its key: it speaks TLS.
    """

    def __init__(
        self, program: str, folder: Path, *, auth: bool = False, most_octets: int = 25_000_000, certificate: Path | None = None
    ) -> None:
        self._certificate = certificate
        self.program, self._folder = program, folder
        self.port, backup = free_ports()
        folder.mkdir(parents=True, exist_ok=True)
        self._configuration = folder / "influxd.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                folder=folder,
                port=self.port,
                backup=backup,
                auth=str(auth).lower(),
                most_octets=most_octets,
                https=str(certificate is not None).lower(),
                certificate=certificate or "",
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._certificate else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it answers. Raises: RuntimeError where it does not."""
        command = [self.program, "-config", str(self._configuration)]
        self._process = started(command, self._folder / "influxd.log", f"{self.url}/ping", self._certificate)

    def kill(self) -> None:
        """kill -9."""
        ended(self._process)
        self._process = None

    def __enter__(self) -> Influxd:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()


class VictoriaMetrics:
    """Context manager, as `Influxd`."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self.port, _ = free_ports()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> VictoriaMetrics:
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [
            self._program,
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self._folder}/data",
            "-retentionPeriod=100y",
            "-memory.allowedBytes=64MB",
        ]
        self._process = started(command, self._folder / "victoria.log", f"{self.url}/health")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        ended(self._process)


def started(command: list[str], log: Path, answers: str, certificate: Path | None = None) -> subprocess.Popen[bytes]:
    """The process, once it answers at the address `answers`. Raises: RuntimeError where it does not."""
    trusted = ssl.create_default_context(cafile=certificate) if certificate else None
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(answers, timeout=1.0, context=trusted):  # noqa: S310  our own address
                return process
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    ended(process)
    raise RuntimeError(f"{command[0]} does not answer on {answers}: {log.read_text(errors='replace')[-500:]}")


def ended(process: subprocess.Popen[bytes] | None) -> None:
    """kill -9, and waits for it."""
    if process is not None:
        process.kill()
        process.wait()


def free_ports() -> tuple[int, int]:
    """Two that were free a moment ago: influxd cannot say which one it took of port 0."""
    sockets = [socket.socket() for _ in range(2)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    first, second = (opened.getsockname()[1] for opened in sockets)
    for opened in sockets:
        opened.close()
    return first, second
