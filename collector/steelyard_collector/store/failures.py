"""What clickhouse-connect raises, as our StoreError."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import ClickHouseError

from steelyard_proto.errors import StoreError

_CODE = re.compile(r"Code:\s*(\d+)")
_NAME = re.compile(r"\(([A-Z][A-Z0-9_]{2,})\)")
_VERSION = re.compile(r"\s*\(version [^)]*(\([^)]*\))?\)\s*$")


def store_error(error: Exception) -> StoreError:
    """The code, the name and the text of what ClickHouse said."""
    text = str(error)
    code = getattr(error, "code", None)
    if code is None:
        found = _CODE.search(text)
        code = int(found.group(1)) if found else 0
    names = _NAME.findall(text)
    name = getattr(error, "name", None) or (names[-1] if names else "")
    return StoreError(_VERSION.sub("", text).strip(), code=code, name=name)


@contextmanager
def as_store_error() -> Iterator[None]:
    """Turns whatever the client raises into a StoreError.

    Raises:
        StoreError: with ClickHouse's code and name, or 0 where the server could not be reached.
    """
    try:
        yield
    except (ClickHouseError, OSError, RuntimeError) as error:
        raise store_error(error) from error
