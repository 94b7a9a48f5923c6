"""How the kernel deals datagrams out among processes that share an address: by the exporter's address alone.

SO_REUSEPORT by itself deals by address and port, so that an exporter whose line cards send from ports of their own, or which was
started again, would be cut in two: templates would be with one process and data with another, sums with neither. A filter in the
kernel chooses instead (SO_ATTACH_REUSEPORT_CBPF of socket(7), the classic BPF of linux/filter.h).
"""

from __future__ import annotations

import ctypes
import socket
import struct

_SO_ATTACH_REUSEPORT_CBPF = 51
_NETWORK_HEADER = 0xFFF0_0000
"""SKF_NET_OFF: an offset from there on counts from the IP header, whatever the datagram is for."""
_LOAD_WORD, _MULTIPLY, _SHIFT_RIGHT, _MODULO, _GIVE = 0x20, 0x24, 0x74, 0x94, 0x16
_SOURCE_END = {socket.AF_INET: 12, socket.AF_INET6: 20}
"""Where the last four octets of the source address lie in the IP header."""
_GOLDEN_RATIO = 0x9E37_79B1
"""2^32 over the golden ratio: spreads addresses that follow one another (Knuth, TAOCP 3, 6.4)."""


def deal_by_address(one: socket.socket, sharers: int) -> None:
    """For all sockets that share this one's address. A number that no socket has (one has died) is dealt out as without this.

    Raises: OSError where the kernel has no such filter (before Linux 4.5).
    """
    instructions = (
        (_LOAD_WORD, _NETWORK_HEADER + _SOURCE_END[one.family]),
        (_MULTIPLY, _GOLDEN_RATIO),
        (_SHIFT_RIGHT, 16),
        (_MODULO, sharers),
        (_GIVE, 0),
    )
    program = b"".join(struct.pack("HBBI", code, 0, 0, operand) for code, operand in instructions)
    held = ctypes.create_string_buffer(program, len(program))
    one.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, struct.pack("HP", len(instructions), ctypes.addressof(held)))
