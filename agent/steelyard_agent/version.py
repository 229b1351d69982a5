"""The agent's version, as Hello carries it; a test holds it equal to the package's."""

from typing import Final

VERSION: Final = "0.1.0"
