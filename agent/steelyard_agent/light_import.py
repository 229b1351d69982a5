"""Imports that find a small module where the real one is large and not used."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def in_place_of(name: str, stand_in: ModuleType | None) -> Iterator[None]:
    """Lets imports find another module than the real one, unless that is there already; afterwards they find it again.

    Args:
        name: the module's.
        stand_in: what is found meanwhile; None: the import fails.
    """
    if name in sys.modules:
        yield
        return
    # The import system takes None in sys.modules for "raise ImportError".
    sys.modules[name] = stand_in  # type: ignore[assignment]
    try:
        yield
    finally:
        if name in sys.modules and sys.modules[name] is stand_in:
            del sys.modules[name]
