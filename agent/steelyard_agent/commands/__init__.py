"""The sub-commands, one a file: `add_parser(subparsers)` and `run(arguments) -> int`."""
