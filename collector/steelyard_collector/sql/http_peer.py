"""Who is at the other end of an HTTP connection: whether it still listens, and under which name it came."""

import select
import socket
from ipaddress import ip_address


def has_gone(connection: socket.socket) -> bool:
    """Whether the client has closed the connection, beneath TLS too."""
    try:
        # Not select(): it knows no descriptor above 1,023, and a collector of a fleet has thousands.
        looked_at = select.poll()
        looked_at.register(connection, select.POLLIN)
        if not looked_at.poll(0):
            return False
        with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as plain:
            return plain.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except (OSError, ValueError):
        return True


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_own_name(host: str) -> bool:
    """Whether a Host header is ours: a page from elsewhere can make a browser ask here, but under its own name."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return name in ("", "localhost") or is_loopback(name.strip("[]")) or _is_address(name.strip("[]"))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
