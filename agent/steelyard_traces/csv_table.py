"""Rows of a CSV file by the names of its columns, which vendors rename, and which carry tabs and `N/A`."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from steelyard_proto.errors import TraceError

Row = dict[str, str]


def read_csv(
    path: Path, needed: Mapping[str, tuple[str, ...]], optional: Mapping[str, tuple[str, ...]]
) -> Iterator[Row]:
    """Each row under our own names; what an optional column doesn't give is an empty text.

    Args:
        path: the file.
        needed: for each of our names those that the column has had.
        optional: the same for columns that not every version writes.

    Raises:
        TraceError: a needed column isn't there, or the file is no CSV in UTF-8; names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            places = {
                **_places(path, header, needed, is_needed=True),
                **_places(path, header, optional, is_needed=False),
            }
            for cells in reader:
                if cells:
                    yield {name: cells[i].strip() if -1 < i < len(cells) else "" for name, i in places.items()}
    except UnicodeDecodeError as error:
        raise TraceError("not UTF-8; export it again, or write it as UTF-8 (iconv -t UTF-8)", path=str(path)) from error
    except csv.Error as error:
        place = f"line {reader.line_num}"
        raise TraceError(f"no CSV ({error}); export it again", path=str(path), place=place) from error
    except OSError as error:
        raise TraceError(f"{error.strerror}; name a file that you may read", path=str(path)) from error


def _places(
    path: Path, header: list[str], columns: Mapping[str, tuple[str, ...]], *, is_needed: bool
) -> dict[str, int]:
    places = {}
    for name, told in columns.items():
        found = [header.index(one) for one in told if one in header]
        if is_needed and not found:
            known = " or ".join(f"`{one}`" for one in told)
            has = ", ".join(header[:12]) or "none: the file is empty"
            raise TraceError(
                f"no column {known} (it has {has}); export it again with CANN's own tools",
                path=str(path),
                place="line 1",
            )
        places[name] = found[0] if found else -1
    return places
