"""A real influxd 2.x on a free loopback port, set up with an organisation and a token; `tools/influxd2.sh` builds one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType

from bwmgr.model.secret import Secret
from bwmgr.testing.influxd import ended, free_ports, started

ORGANISATION = "kominfo"
TOKEN = "token-of-the-test-server"  # noqa: S105  it opens nothing but a server that dies with its test


def influxd2_program() -> str | None:
    """Where BWMGR_INFLUXD2 says, or in the cache folder; None: it is not installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "bwmgr" / "influxd-2.7.12"
    return shutil.which(os.environ.get("BWMGR_INFLUXD2", str(cache)))


class Influxd2:
    """Context manager: runs from its entry to its exit. It has one bucket, `first`."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self.port, _ = free_ports()
        self.token = Secret(TOKEN)
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it answers. Raises: RuntimeError where it does not."""
        command = [
            self._program,
            f"--bolt-path={self._folder}/influxd.bolt",
            f"--sqlite-path={self._folder}/influxd.sqlite",
            f"--engine-path={self._folder}/engine",
            f"--http-bind-address=127.0.0.1:{self.port}",
            "--reporting-disabled",
            "--log-level=error",
        ]
        self._process = started(command, self._folder / "influxd.log", f"{self.url}/ping")

    def kill(self) -> None:
        """kill -9."""
        ended(self._process)
        self._process = None

    def __enter__(self) -> Influxd2:
        self.start()
        wanted = {"username": "noc", "password": "noc-password", "org": ORGANISATION, "bucket": "first", "token": TOKEN}
        request = urllib.request.Request(f"{self.url}/api/v2/setup", json.dumps(wanted).encode())  # noqa: S310  our own address
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310
            return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
