"""How the program's help is laid out."""

import argparse
import os
import sys
from typing import Final

_USUAL_COLUMNS: Final = 80


class HelpFormat(argparse.RawDescriptionHelpFormatter):
    """Descriptions and examples as they are written.

    argparse makes one for every argument, also where no help is shown, and would import shutil and the compressors
    that it uses for the terminal's width: 0.4 MB that a daemon keeps for nothing.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=terminal_columns() - 2)


def terminal_columns() -> int:
    """COLUMNS, else the terminal's width, else 80."""
    text = os.environ.get("COLUMNS", "")
    if text.isdigit() and int(text) > 0:
        return int(text)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError, AttributeError):
        return _USUAL_COLUMNS
