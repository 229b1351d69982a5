"""What a user may add to the comparison: claims and prices, read anew each time, so that an edit counts at once."""

from pathlib import Path

from steelyard_proto.chips import ChipTable
from steelyard_proto.claims import Claim, load_claims
from steelyard_proto.errors import ConfigError
from steelyard_proto.prices import Prices, load_prices


class Sources:
    """The user's files; one with a fault is left out and says so, and everything else goes on."""

    def __init__(self, chips: ChipTable, claims: str = "", prices: str = "") -> None:
        """Args: the chips that they may name; the paths, empty for none."""
        self._chips = chips
        self._claims = Path(claims) if claims else None
        self._prices = Path(prices) if prices else None

    def claims(self) -> tuple[tuple[Claim, ...], str]:
        """The shipped claims with the user's, and the fault of the user's file; empty where it has none."""
        try:
            return load_claims(self._chips, self._claims), ""
        except ConfigError as error:
            return load_claims(self._chips), str(error)

    def prices(self) -> tuple[Prices, str]:
        """The user's prices, and the fault of the file."""
        try:
            return (load_prices(self._prices, self._chips) if self._prices else Prices()), ""
        except ConfigError as error:
            return Prices(), str(error)
