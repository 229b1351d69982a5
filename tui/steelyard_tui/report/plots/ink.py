"""Colours by name: matplotlib draws with stand-ins, and in the SVG the page's CSS variables take their places."""

from collections.abc import Mapping
from typing import Final

# Names of CSS variables -> the colour that matplotlib knows each by; every one is unlike any other.
INKS: Final[Mapping[str, str]] = {
    "ink": "#010203",
    "quiet": "#040506",
    "rule": "#070809",
    "ground": "#0a0b0c",
    "nvidia": "#0d0e0f",
    "huawei": "#101112",
    "amd": "#131415",
    "cpu": "#161718",
    "other": "#191a1b",
    "nvidia-pale": "#1c1d1e",
    "huawei-pale": "#1f2021",
    "amd-pale": "#222324",
    "cpu-pale": "#252627",
    "other-pale": "#28292a",
    "part-0": "#2b2c2d",
    "part-1": "#2e2f30",
    "part-2": "#313233",
    "part-3": "#343536",
    "part-4": "#373839",
}

MARKERS: Final[Mapping[str, str]] = {"nvidia": "^", "huawei": "o", "amd": "D", "cpu": "s"}
# Chips of one vendor share its colour: their dashes tell them apart.
DASHES: Final = ("solid", (0, (6, 2)), (0, (2, 1.6)), (0, (7, 2, 1.5, 2)))


def vendor_ink(vendor: str, *, pale: bool = False) -> str:
    """The colour of a vendor's bars and lines."""
    name = vendor if vendor in INKS else "other"
    return INKS[f"{name}-pale" if pale else name]


def marker_of(vendor: str) -> str:
    """The shape of a vendor, so that colour is never needed to tell them apart."""
    return MARKERS.get(vendor, "h")
