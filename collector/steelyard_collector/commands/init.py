"""`steelyard-collector init`: what a cluster's collector needs to be reached by others."""

import argparse
import datetime as dt
import os
import socket
from pathlib import Path
from typing import Any, Final

from steelyard_collector.access.tokens import ROLES, Role, new_token, tokens_text
from steelyard_proto.errors import ConfigError

_EPILOG: Final = """\
example:
  steelyard-collector init /etc/steelyard --host head-node --host 10.0.0.1
  steelyard-collector daemon --config /etc/steelyard/collector.toml

Makes, in DIR: ca.pem and ca.key, collector.pem and collector.key, tokens.toml (digests), agent.token, viewer.token and
operator.token, and collector.toml. Files that exist are never overwritten. Prints the agents' settings on stdout.
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "init",
        help="make a CA, a certificate and tokens, and print what agents need",
        description="Makes a CA, a certificate and tokens, and prints the lines for the agents' config.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--host", action="append", default=[], help="name or address of the collector; may be repeated")
    parser.add_argument("--port", type=int, default=8470, help="gRPC port (8470)")
    parser.add_argument("--store", default="chdb:///var/lib/steelyard", metavar="DSN", help="written to collector.toml")


def run(arguments: argparse.Namespace) -> int:
    """Makes the files."""
    from steelyard_collector.access.certificates import key_pem, new_authority

    folder: Path = arguments.directory
    hosts = arguments.host or [socket.gethostname()]
    now = dt.datetime.now(dt.UTC)
    authority = new_authority(f"Steelyard CA of {hosts[0]}", now)
    pair = authority.sign(hosts[0], [*hosts, "localhost", "127.0.0.1"], now)
    tokens: dict[Role, str] = {role: new_token() for role in ROLES}
    files: dict[str, tuple[bytes, int]] = {
        "ca.pem": (authority.pem, 0o644),
        "ca.key": (key_pem(authority), 0o600),
        "collector.pem": (pair.certificate, 0o644),
        "collector.key": (pair.key, 0o600),
        "tokens.toml": (tokens_text(tokens).encode(), 0o600),
        "collector.toml": (_collector_toml(folder.absolute(), arguments.port, arguments.store).encode(), 0o644),
    }
    files |= {f"{role}.token": (f"{token}\n".encode(), 0o600) for role, token in tokens.items()}
    _write(folder, files)
    print(_agent_toml(folder.absolute(), f"{hosts[0]}:{arguments.port}"), end="")
    return 0


def _write(folder: Path, files: dict[str, tuple[bytes, int]]) -> None:
    """Writes all or nothing.

    Raises:
        ConfigError: a file exists, or the directory can't be written.
    """
    existing = [name for name in files if (folder / name).exists()]
    if existing:
        raise ConfigError(
            f"{', '.join(existing)} exist there; choose another directory, or remove them", path=str(folder)
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        for name, (content, mode) in files.items():
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
    except OSError as error:
        raise ConfigError(f"can't be written: {error.strerror}", path=str(folder)) from error


def _collector_toml(folder: Path, port: int, store: str) -> str:
    return (
        f'[store]\ndsn = "{store}"\n\n[listen]\ngrpc = "0.0.0.0:{port}"\n\n'
        f'[tls]\ncert = "{folder}/collector.pem"\nkey = "{folder}/collector.key"\n\n'
        f'[access]\ntokens = "{folder}/tokens.toml"\n'
    )


def _agent_toml(folder: Path, address: str) -> str:
    return (
        "# For the agents' /etc/steelyard/agent.toml; copy ca.pem and agent.token to each node.\n"
        f'collector = "{address}"\nca_file = "{folder}/ca.pem"\ntoken_file = "{folder}/agent.token"\n'
    )
