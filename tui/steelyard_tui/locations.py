"""Where the terminal program keeps its files (XDG), and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Locations:
    """Directories of one user; nothing is created until something is written."""

    config_dir: Path
    state_dir: Path

    @property
    def client_config(self) -> Path:
        """The settings shared by the screens and the commands."""
        return self.config_dir / "client.toml"

    @property
    def sql_history(self) -> Path:
        """The SQL console's past queries, one JSON string a line."""
        return self.state_dir / "sql-history.jsonl"

    @property
    def copies_dir(self) -> Path:
        """Copied and exported tables."""
        return self.state_dir / "copies"


def find_locations(environ: Mapping[str, str]) -> Locations:
    """The directories by the XDG variables, else under HOME."""
    home = Path(environ.get("HOME", "~")).expanduser()
    config = environ.get("XDG_CONFIG_HOME") or home / ".config"
    state = environ.get("XDG_STATE_HOME") or home / ".local" / "state"
    return Locations(config_dir=Path(config) / "steelyard", state_dir=Path(state) / "steelyard")
