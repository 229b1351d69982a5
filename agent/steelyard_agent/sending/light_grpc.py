"""gRPC imported so that it costs a quiet agent as little as it can."""

import importlib
import os
import sys
from typing import Final

# gRPC's event engine keeps a thread for each of 4 to 16 cores that looks for work up to 60 times a second after each
# message. Its older client does without: 19 in place of 24 wake-ups a second of the whole agent, measured with 1.85.
_EXPERIMENTS: Final = "-event_engine_client"


def import_grpc_lightly() -> None:
    """Imports grpc and asyncio without Python's `ssl`, and without the event engine's client.

    gRPC carries TLS itself (BoringSSL), asyncio is made to work without `ssl`, and nothing else in the agent speaks
    TLS: `import ssl` fails while grpc is imported, then works again. Measured: 4.2 MB of resident memory. Does nothing
    where grpc was imported before, and leaves a GRPC_EXPERIMENTS of the user's as it is.
    """
    if "grpc" in sys.modules:
        return
    os.environ.setdefault("GRPC_EXPERIMENTS", _EXPERIMENTS)
    if "ssl" in sys.modules:
        importlib.import_module("grpc.aio")
        return
    # The import system takes None in sys.modules for "raise ImportError".
    sys.modules["ssl"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("grpc.aio")
    finally:
        del sys.modules["ssl"]
