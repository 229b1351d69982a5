"""gRPC imported so that it costs a quiet agent as little as it can."""

import importlib
import os
import sys
import typing
from collections.abc import Callable
from types import ModuleType
from typing import Final

from steelyard_agent.light_import import in_place_of

# gRPC's event engine keeps a thread for each of 4 to 16 cores that looks for work up to 60 times a second after each
# message. Its older client does without: 19 in place of 24 wake-ups a second of the whole agent, measured with 1.85.
_EXPERIMENTS: Final = "-event_engine_client"
_TYPING: Final = "typing_extensions"


def import_grpc_lightly() -> None:
    """Imports grpc and asyncio without Python's `ssl` and `typing_extensions`, and without the event engine's client.

    gRPC carries TLS itself (BoringSSL), asyncio is made to work without `ssl`, and nothing else in the agent speaks
    TLS: `import ssl` fails while grpc is imported, then works again. Measured: 4.2 MB of resident memory. Of
    `typing_extensions` it uses two names that say nothing at run time: 0.5 MB. Does nothing where grpc was imported
    before, and leaves a GRPC_EXPERIMENTS of the user's as it is.
    """
    if "grpc" in sys.modules:
        return
    os.environ.setdefault("GRPC_EXPERIMENTS", _EXPERIMENTS)
    with in_place_of("ssl", None), in_place_of(_TYPING, _typing_names()):
        importlib.import_module("grpc.aio")


def _typing_names() -> ModuleType:
    """What grpc takes out of `typing_extensions`; whatever else is asked for comes out of the real one."""
    module = ModuleType(_TYPING)

    def override(method: Callable[..., object]) -> Callable[..., object]:
        return method

    def find(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        del sys.modules[_TYPING]
        return getattr(importlib.import_module(_TYPING), name)

    vars(module).update(Self=typing.Self, override=override, __getattr__=find)
    return module
