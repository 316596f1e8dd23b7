"""The rude end of a connection."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def reset(transport: asyncio.WriteTransport) -> None:
    """Close at once, and so that the other side sees a reset and no orderly end."""
    raw: socket.socket = transport.get_extra_info("socket")
    # Closing without lingering makes the kernel send a reset.
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
