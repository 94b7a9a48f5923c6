"""Points that are no rows of a layout, one by one: recommendations, sums by node, what poller and collector say of themselves.

Owns their form in line protocol; what they hold is the daemon's. For thousands of rows at once there is `lines`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from bwmgr.stores.influx.protocol import LARGEST, prefix

Field = str | bool | int | float
_QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": " ", "\r": " ", "\0": None})


def point(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Field | None], at: datetime) -> bytes:
    """One line with its line feed, to the whole second; nothing where no field has a value.

    None, infinity and NaN are left out, since line protocol cannot say them; line breaks in texts become spaces. The type of the
    value decides the type of the field, for ever: give a rate as float, a count as int.

    Raises: StoreRejected for a tag that cannot be sent.
    """
    said = [f"{name}={_worded(value)}" for name, value in fields.items() if _can_be_said(value)]
    if not said:
        return b""
    return f"{prefix(measurement, tags)} {','.join(said)} {int(at.timestamp())}\n".encode()


def _can_be_said(value: Field | None) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _worded(value: Field | None) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{min(value, LARGEST)}i"
    return repr(value) if isinstance(value, float) else f'"{str(value).translate(_QUOTED)}"'
