"""`steelyard-collector status`: how a running collector is."""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from steelyard_proto.errors import ConfigError, TransportError
from steelyard_proto.peer import Peer

_EPILOG: Final = """\
examples:
  steelyard-collector status
  steelyard-collector status --collector head-node:8470 --ca ca.pem --token-file viewer.token --json
"""
_SQL: Final = "SELECT * FROM collector"


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "status",
        help="say how a running collector is",
        description="Asks a running collector for its streams, rates, queue and store.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--collector", metavar="HOST:PORT", help="else STEELYARD_COLLECTOR, else 127.0.0.1:8470")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="PEM of the CA, for TLS")
    parser.add_argument("--cert", type=Path, metavar="FILE", help="a PEM certificate of our own, where TLS is mutual")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its key")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="a viewer's token")
    parser.add_argument("--json", action="store_true", help="one object on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Asks and prints."""
    address = arguments.collector or os.environ.get("STEELYARD_COLLECTOR") or "127.0.0.1:8470"
    if bool(arguments.cert) != bool(arguments.key):
        raise ConfigError("--cert and --key go together; one is missing", key="--cert")
    if arguments.cert and not arguments.ca:
        raise ConfigError("a certificate of our own needs the collector's CA too", key="--ca")
    access = _Access(Peer(address, bool(arguments.ca), bool(arguments.cert)), *_read(arguments))
    row = _ask(access)
    if arguments.json:
        json.dump(row, sys.stdout, default=str)
        print()
        return 0
    for name, value in row.items():
        print(f"{name:<18} {_shown(value)}")
    return 0


@dataclass(frozen=True, slots=True)
class _Access:
    """Whom to ask, and with what: PEM texts and a token, as far as they were given."""

    peer: Peer
    ca: bytes | None
    certificate: bytes | None
    key: bytes | None
    token: bytes | None


def _read(arguments: argparse.Namespace) -> list[bytes | None]:
    paths: list[Path | None] = [arguments.ca, arguments.cert, arguments.key, arguments.token_file]
    try:
        return [None if path is None else path.read_bytes() for path in paths]
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", path=str(error.filename)) from error


def _ask(access: _Access) -> dict[str, Any]:
    import grpc
    import pyarrow as pa

    from steelyard_proto.v1 import query_pb2, query_pb2_grpc

    address, token = access.peer.address, (access.token or b"").decode(errors="replace").strip()
    if access.ca is None:
        channel = grpc.insecure_channel(address)
    else:
        credentials = grpc.ssl_channel_credentials(access.ca, access.key, access.certificate)
        channel = grpc.secure_channel(address, credentials)
    with channel:
        stub = query_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        try:
            replies = stub.Sql(query_pb2.SqlRequest(query=_SQL), metadata=metadata, timeout=10)
            raw = b"".join(reply.arrow_ipc for reply in replies)
        except grpc.RpcError as error:
            trouble = access.peer.trouble(error.details() or "")
            if trouble is not None:
                raise TransportError(f"the collector at {address}: {trouble}") from error
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise TransportError(f"{address}: {error.details()}") from error
            raise TransportError(
                f"no collector answers at {address}; start one with `steelyard-collector daemon`, or say --collector"
            ) from error
    rows = pa.ipc.open_stream(raw).read_all().to_pylist()
    return dict(rows[0]) if rows else {}


def _shown(value: object) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
