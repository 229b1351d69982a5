"""What the gate says no with."""

from typing import Final

from steelyard_proto.errors import StoreError

# ClickHouse's own number and name for a thing that one may not do.
ACCESS_DENIED: Final = 497


class Refused(StoreError):
    """The gate refuses a query; the message says what in it, and what to write instead."""

    def __init__(self, message: str) -> None:
        super().__init__(f"refused: {message}", code=ACCESS_DENIED, name="ACCESS_DENIED")
