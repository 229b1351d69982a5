"""`steelyard-collector daemon`."""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any, Final

from steelyard_collector.settings import Scalar, default_text, gather_settings

_EPILOG: Final = """\
examples:
  steelyard-collector daemon --store chdb:///tmp/steelyard        try it
  steelyard-collector daemon --retention 30 --max-disk 200GB      keep more
  steelyard-collector daemon --print-config > collector.toml      every setting, with its default and why
"""
_FLAGS: Final = {
    "store": "store.dsn",
    "retention": "store.retention_days",
    "max_disk": "store.max_disk",
    "listen": "listen.grpc",
    "http_listen": "listen.http",
    "tls_cert": "tls.cert",
    "tls_key": "tls.key",
    "client_ca": "tls.client_ca",
    "tokens": "access.tokens",
    "commit_ms": "ingest.commit_ms",
    "queue_mb": "ingest.queue_mb",
    "rollup_period": "rollup.period_s",
    "claims": "claims",
    "prices": "prices",
    "chips": "chips",
}


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "daemon",
        help="receive, store and serve",
        description="Receives what agents send, keeps it in ClickHouse and serves live views and SQL.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings; see --print-config")
    parser.add_argument("--print-config", action="store_true", help="print every setting with its default and why")
    parser.add_argument("--store", metavar="DSN", help="chdb:///DIR or clickhouse://user:password@host:port/")
    parser.add_argument("--retention", type=int, metavar="DAYS", help="days that raw rows are kept")
    parser.add_argument("--max-disk", metavar="SIZE", help="bound of the store, for example 50GB")
    parser.add_argument("--listen", metavar="HOST:PORT", help="gRPC (127.0.0.1:8470)")
    parser.add_argument("--http-listen", metavar="HOST:PORT", help="ClickHouse HTTP, read-only (127.0.0.1:8471)")
    parser.add_argument("--tls-cert", metavar="FILE", help="PEM certificate")
    parser.add_argument("--tls-key", metavar="FILE", help="its key")
    parser.add_argument("--client-ca", metavar="FILE", help="CA of clients' certificates: makes TLS mutual")
    parser.add_argument("--tokens", metavar="FILE", help="digests of bearer tokens, made by `init`")
    parser.add_argument("--commit-ms", type=int, metavar="MS", help="longest wait of a message for its block")
    parser.add_argument("--queue-mb", type=int, metavar="MB", help="accepted and not yet committed")
    parser.add_argument("--rollup-period", type=int, metavar="SECONDS", help="between rollups; 0 pauses them")
    parser.add_argument("--claims", metavar="FILE", help="claims of your own, judged beside the shipped ones")
    parser.add_argument("--chips", metavar="FILE", help="chips of your own, or other peaks for known ones")
    parser.add_argument("--prices", metavar="FILE", help="what a device-hour of each chip costs you")
    parser.add_argument("--insecure", action="store_true", help="serve strangers without TLS and tokens")
    parser.add_argument("--verbose", action="store_true", help="say more on stderr")


def run(arguments: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    if arguments.print_config:
        print(default_text(), end="")
        return 0
    logging.basicConfig(
        level=logging.DEBUG if arguments.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    flags: dict[str, Scalar] = {
        key: value for flag, key in _FLAGS.items() if (value := getattr(arguments, flag)) is not None
    }
    if arguments.insecure:
        flags["listen.insecure"] = True
    settings = gather_settings(flags, os.environ, arguments.config)
    from steelyard_collector.daemon import run_daemon

    return run_daemon(settings, _say)


def _say(line: str) -> None:
    print(f"steelyard-collector: {line}", file=sys.stderr, flush=True)
