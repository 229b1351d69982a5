"""The channel to the collector: plain on loopback, else TLS, with a bearer token in the metadata."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
import grpc.aio

from steelyard_proto.errors import ConfigError
from steelyard_proto.peer import Peer

OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    # Bandwidth probing wakes a quiet connection around every message, on both ends.
    ("grpc.http2.bdp_probe", 0),
    # The stream can't be retried by the library, and no service configuration is looked up in the DNS.
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the collector is and how to speak to it.

    Attributes:
        address: host:port.
        ca_file: PEM of the CA that signed the collector's certificate; None for plain text.
        cert_file: our own certificate, where TLS is mutual.
        key_file: its key.
        token: the bearer token; empty for none.
        token_file: read at each connection instead, so that a token can be changed without a restart.
        quiet_ms: a peer that says nothing for so long is asked whether it is there.
        answer_ms: it is lost where its answer takes longer: by default after 70 s in all, in which the spool holds
            the data.
    """

    address: str
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    quiet_ms: int = 60_000
    answer_ms: int = 10_000

    @property
    def peer(self) -> Peer:
        """What tells why it can't be reached."""
        return Peer(self.address, self.ca_file is not None, self.cert_file is not None)


def open_channel(target: Target) -> grpc.aio.Channel:
    """A channel that connects at the first call.

    Raises:
        ConfigError: a file can't be read.
    """
    # gRPC waits for the answer to any ping, the keepalive's too, as long as the last says: a minute by default.
    waits = ("grpc.keepalive_timeout_ms", "grpc.http2.ping_timeout_ms")
    options = (*OPTIONS, ("grpc.keepalive_time_ms", target.quiet_ms), *((name, target.answer_ms) for name in waits))
    if target.ca_file is None:
        return grpc.aio.insecure_channel(target.address, options=options)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_read("ca_file", target.ca_file),
        private_key=_read("key_file", target.key_file) if target.key_file else None,
        certificate_chain=_read("cert_file", target.cert_file) if target.cert_file else None,
    )
    return grpc.aio.secure_channel(target.address, credentials, options=options)


def metadata(target: Target) -> tuple[tuple[str, str], ...]:
    """The authorization header, or nothing.

    Raises:
        ConfigError: the token file can't be read.
    """
    token = target.token
    if not token and target.token_file is not None:
        token = _read("token_file", target.token_file).decode(errors="replace").strip()
    return (("authorization", f"Bearer {token}"),) if token else ()


def _read(key: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}", key=key) from error
