"""`steelyard ops --file TRACE --format json`, as a program of its own."""

import sys

from steelyard_tui.cli import main

if __name__ == "__main__":
    sys.exit(main(["ops", "--file", sys.argv[1], "--format", "json"]))
