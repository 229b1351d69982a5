"""`steelyard-collector status`: how a running collector is."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from steelyard_proto.errors import ConfigError, TransportError

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
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="a viewer's token")
    parser.add_argument("--json", action="store_true", help="one object on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Asks and prints."""
    address = arguments.collector or os.environ.get("STEELYARD_COLLECTOR") or "127.0.0.1:8470"
    row = _ask(address, arguments.ca, arguments.token_file)
    if arguments.json:
        json.dump(row, sys.stdout, default=str)
        print()
        return 0
    for name, value in row.items():
        print(f"{name:<18} {_shown(value)}")
    return 0


def _ask(address: str, ca: Path | None, token_file: Path | None) -> dict[str, Any]:
    import grpc
    import pyarrow as pa

    from steelyard_proto.v1 import query_pb2, query_pb2_grpc

    try:
        token = token_file.read_text(encoding="utf-8").strip() if token_file else ""
        credentials = grpc.ssl_channel_credentials(ca.read_bytes()) if ca else None
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", path=str(error.filename)) from error
    channel = grpc.insecure_channel(address) if credentials is None else grpc.secure_channel(address, credentials)
    with channel:
        stub = query_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        try:
            replies = stub.Sql(query_pb2.SqlRequest(query=_SQL), metadata=metadata, timeout=10)
            raw = b"".join(reply.arrow_ipc for reply in replies)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise TransportError(f"{address}: {error.details()}") from error
            raise TransportError(
                f"no collector answers at {address}; start one with `steelyard-collector daemon`, or say --collector"
            ) from error
    rows = pa.ipc.open_stream(raw).read_all().to_pylist()
    return dict(rows[0]) if rows else {}


def _shown(value: object) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
