"""Where a collector listens, and whether it may do so without TLS and tokens."""

import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import grpc

from steelyard_collector.settings import Settings
from steelyard_proto.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; 0 lets the system choose."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, *, key: str) -> Address:
    """host:port or [v6]:port.

    Raises:
        ConfigError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isdigit() or int(port) > 65535 or not host:
        raise ConfigError(f"is {text!r}; write host:port, for example 127.0.0.1:8470", key=key)
    return Address(host, int(port))


def check_doors(settings: Settings) -> None:
    """Refuses to serve strangers without both TLS and tokens.

    Raises:
        ConfigError: an address that isn't loopback lacks them, and `insecure` isn't set.
    """
    if settings.listen_insecure:
        return
    for key, text in (("listen.grpc", settings.listen_grpc), ("listen.http", settings.listen_http)):
        if not text or parse_address(text, key=key).is_loopback:
            continue
        lacking = [
            name for name, value in (("TLS", settings.tls_cert), ("tokens", settings.access_tokens)) if not value
        ]
        if lacking:
            raise ConfigError(
                f"{text} can be reached from elsewhere, and there is no {' and no '.join(lacking)}; run "
                "`steelyard-collector init DIR` and start with --config DIR/collector.toml, or say --insecure",
                key=key,
            )


def grpc_credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """Server credentials, mutual where a client CA is given; None for plain text.

    Raises:
        ConfigError: a file can't be read.
    """
    if not settings.tls_cert:
        return None
    pair = (_read("tls.key", settings.tls_key), _read("tls.cert", settings.tls_cert))
    client_ca = _read("tls.client_ca", settings.tls_client_ca) if settings.tls_client_ca else None
    return grpc.ssl_server_credentials([pair], client_ca, require_client_auth=client_ca is not None)


def http_context(settings: Settings) -> ssl.SSLContext | None:
    """The same for HTTP.

    Raises:
        ConfigError: a file can't be read, or key and certificate don't belong together.
    """
    if not settings.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
        if settings.tls_client_ca:
            context.load_verify_locations(settings.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise ConfigError(f"TLS can't be set up: {error}", key="tls.cert") from error
    return context


def _read(key: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}", key=key) from error
