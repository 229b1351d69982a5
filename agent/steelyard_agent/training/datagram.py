"""The text that a training process sends: a line `steelyard 1 KIND`, then lines `name=value`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

KINDS: Final = ("step", "facts", "off")
# A century in seconds, and counts that no training reaches: what is above them is nonsense.
_MOST_S: Final = 3.2e9
_MOST_COUNT: Final = 1 << 62
_MOST_TEXT: Final = 256
_MOST_FIGURE: Final = 3.2e9


class Unreadable(ValueError):
    """A datagram that says nothing; the text names what is wrong with it.

    Attributes:
        about: the field that is, whatever its value.
    """

    def __init__(self, text: str, about: str) -> None:
        super().__init__(text)
        self.about = about


@dataclass(frozen=True, slots=True)
class Datagram:
    """What one datagram says.

    Attributes:
        kind: one of `KINDS`.
        number: of the datagram in its process, from 1.
        fields: everything else, as text.
    """

    kind: str
    number: int
    fields: Mapping[str, str]

    def count(self, name: str) -> int | None:
        """A whole number that isn't negative; None where it is not there.

        Raises:
            Unreadable: it is nonsense.
        """
        text = self.fields.get(name)
        if text is None:
            return None
        # A number of thousands of digits can't even be read.
        if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _MOST_COUNT):
            raise Unreadable(f"{name} is {text[:40]!r}; it must be a whole number that isn't negative", name)
        return int(text)

    def seconds(self, name: str) -> float | None:
        """A time that isn't negative; None where it is not there.

        Raises:
            Unreadable: it is nonsense.
        """
        text = self.fields.get(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < _MOST_S:
            raise Unreadable(f"{name} is {text[:40]!r}; it must be seconds that aren't negative", name)
        return value

    def figure(self, name: str) -> float | None:
        """A number; None where it is not there or is none: a loss that became NaN is no figure."""
        try:
            value = float(self.fields.get(name, "nan"))
        except ValueError:
            return None
        return value if abs(value) < _MOST_FIGURE else None

    def text(self, name: str) -> str:
        """A text, cut where it is long; empty where it is not there."""
        return self.fields.get(name, "")[:_MOST_TEXT]


def parse(payload: bytes) -> Datagram:
    """Reads a datagram.

    Raises:
        Unreadable: it is of another program, or of a later version.
    """
    head, *lines = payload.decode("utf-8", "replace").split("\n")
    words = head.split(" ")
    if len(words) != 3 or words[0] != "steelyard":
        raise Unreadable(f"begins with {head[:40]!r}; it must begin with 'steelyard 1'", "head")
    if words[1] != "1" or words[2] not in KINDS:
        raise Unreadable(f"is {head[:40]!r}, which this version doesn't know", "head")
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    number = fields.get("number", "")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise Unreadable(f"has the number {number[:40]!r}; it must be a whole number", "number")
    return Datagram(words[2], int(number), fields)
