"""Sessions over SSH (netmiko) with devices that are configured by typed lines. Owns the transport and what its errors mean.

The device must prove itself by its host key, from `host_keys:` or the system's known_hosts: the password goes to nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bwmgr.errors import DeviceAuthenticationError, DeviceProtocolError, DeviceTimeout, UsageError
from bwmgr.model.inventory import Device, Enforcer
from bwmgr.model.said import Said

_LONGEST = 240


@dataclass(frozen=True, kw_only=True, slots=True)
class CliStep:
    """One typed line."""

    line: str


class Session:
    """Opens a session for each use; none is kept, so none can be stale."""

    def __init__(self, device: Device, enforcer: Enforcer, kind: str) -> None:
        """`kind` as netmiko names it. Raises: UsageError without a user and password."""
        if enforcer.user is None or enforcer.password is None:
            raise UsageError(Said("device {device}: `enforce:` needs user and password", device=device.id))
        self.device = device.id
        secret = enforcer.secret.reveal() if enforcer.secret is not None else ""
        self._parameters: dict[str, Any] = {
            "device_type": kind, "host": device.address, "port": enforcer.port or 22, "username": enforcer.user,
            "password": enforcer.password.reveal(), "secret": secret, "ssh_strict": True, "system_host_keys": True,
            "alt_host_keys": enforcer.host_keys is not None, "alt_key_file": enforcer.host_keys or "",
            "conn_timeout": enforcer.timeout_seconds, "auth_timeout": enforcer.timeout_seconds,
            "banner_timeout": enforcer.timeout_seconds, "read_timeout_override": enforcer.timeout_seconds,
        }  # fmt: skip

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """A netmiko connection, at the prompt that reads; its errors in bwmgr's words."""
        from netmiko import ConnectHandler
        from netmiko.exceptions import NetmikoAuthenticationException, NetmikoBaseException, NetmikoTimeoutException, ReadTimeout
        from paramiko.ssh_exception import SSHException

        try:
            with ConnectHandler(**self._parameters) as connection:
                if self._parameters["secret"]:
                    connection.enable()
                yield connection
        except NetmikoAuthenticationException as error:
            raise DeviceAuthenticationError(
                self.device, Said("refused the login of {user}", user=self._parameters["username"])
            ) from error
        except (NetmikoTimeoutException, ReadTimeout, TimeoutError) as error:
            if "SSHException" in str(error):  # netmiko's word for a host key that is not the known one, too
                raise DeviceProtocolError(self.device, Said("was not reached: {why}", why=_brief(error))) from error
            raise DeviceTimeout(self.device, Said("no answer over SSH: {why}", why=_brief(error))) from error
        except (NetmikoBaseException, SSHException, ValueError, OSError) as error:
            raise DeviceProtocolError(self.device, Said("refused, or was not reached: {why}", why=_brief(error))) from error

    def said(self, commands: tuple[str, ...]) -> list[str]:
        """What each command prints."""
        with self.opened() as connection:
            return [str(connection.send_command(command)) for command in commands]


def _brief(error: Exception) -> str:
    """netmiko explains at length; the first lines say what it was."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
