"""What a device-hour of each chip costs its user, read from a file and checked.

currency = "USD"

[price]
H100 = 2.10
910B2 = 1.20
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from steelyard_proto.chips import ChipTable
from steelyard_proto.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of a device-hour by chip, all in one currency; a device is what the driver shows."""

    currency: str = ""
    by_chip: Mapping[str, float] = field(default_factory=dict)


def load_prices(path: Path, chips: ChipTable) -> Prices:
    """Reads a file of prices.

    Raises:
        ConfigError: naming file, key and value, and what to write instead.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't be read: {error}", path=str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", path=str(path)) from error
    if unknown := sorted(document.keys() - {"currency", "price"}):
        raise ConfigError("is no key of this file; there are currency and [price]", path=str(path), key=unknown[0])
    currency, prices = document.get("currency"), document.get("price", {})
    if not isinstance(currency, str) or not currency:
        raise ConfigError(f'is {currency!r}; write a currency, such as "USD"', path=str(path), key="currency")
    if not isinstance(prices, dict):
        raise ConfigError("must be a table; write [price]", path=str(path), key="price")
    for chip, price in prices.items():
        if chip not in chips.by_name:
            close = get_close_matches(chip, chips.by_name, n=1)
            meant = f"do you mean {close[0]}?" if close else f"there are {', '.join(chips.by_name)}"
            raise ConfigError(f"is no chip; {meant}", path=str(path), key=f"price.{chip}")
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 < price < math.inf:
            raise ConfigError(
                f"is {price!r}; write the price of a device-hour, a number above 0", path=str(path), key=f"price.{chip}"
            )
    return Prices(currency, {chip: float(price) for chip, price in prices.items()})
