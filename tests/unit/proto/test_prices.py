"""The file of prices: what it may say, and what is said of a slip in it."""

from pathlib import Path

import pytest

from steelyard_proto.chips import load_chips
from steelyard_proto.errors import ConfigError
from steelyard_proto.prices import Prices, load_prices

CHIPS = load_chips()


def test_prices_by_chip(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('currency = "CNY"\n[price]\nH100 = 15\n910B2 = 8.5\n')
    assert load_prices(path, CHIPS) == Prices("CNY", {"H100": 15.0, "910B2": 8.5})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("[price]\nH100 = 2", "currency: is None; write a currency"),
     ('currency = "USD"\n[prices]\nH100 = 2', "prices: is no key of this file; there are currency and [price]"),
     ('currency = "USD"\nprice = 3', "price: must be a table; write [price]"),
     ('currency = "USD"\n[price]\nH1000 = 2', "price.H1000: is no chip; do you mean H100?"),
     ('currency = "USD"\n[price]\nH100 = 0', "price.H100: is 0; write the price of a device-hour, a number above 0"),
     ('currency = "USD"\n[price]\nH100 = inf', "price.H100: is inf; write"),
     ('currency = "USD"\n[price]\nH100 = "2 $"', "price.H100: is '2 $'; write"),
     ("currency = ", "is not TOML")],
)  # fmt: skip
def test_a_slip_is_named_by_file_and_key(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_prices(path, CHIPS)
    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)


def test_a_file_that_isn_t_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        load_prices(tmp_path / "none.toml", CHIPS)
