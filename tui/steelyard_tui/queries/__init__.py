"""The queries that the screens and commands ask, as files."""

from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Example:
    """A query that answers a common question."""

    title: str
    sql: str


def read_query(name: str) -> str:
    """The text of `<name>.sql`."""
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8").strip()


def read_examples() -> list[Example]:
    """The examples in their order; the first line of each is its title."""
    folder = files(__name__).joinpath("examples")
    texts = [path.read_text(encoding="utf-8").strip() for path in sorted(folder.iterdir(), key=lambda path: path.name)]
    return [Example(text.partition("\n")[0].removeprefix("--").strip(), text) for text in texts]
