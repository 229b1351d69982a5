"""What the three tables are: view, columns, key."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from steelyard_tui.present import devices, jobs, nodes
from steelyard_tui.present.columns import Column


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table.

    Attributes:
        name: of the screen and of the view.
        columns: what it shows where there is room.
        always: columns of the view that are read whatever is shown.
        key: the view's column that tells rows apart.
    """

    name: str
    columns: Sequence[Column]
    always: Sequence[str]
    key: str


JOBS: Final = TableSpec("jobs", jobs.COLUMNS, jobs.ALWAYS, jobs.KEY)
NODES: Final = TableSpec("nodes", nodes.COLUMNS, nodes.ALWAYS, nodes.KEY)
DEVICES: Final = TableSpec("devices", devices.COLUMNS, devices.ALWAYS, devices.KEY)
TABLES: Final = (JOBS, NODES, DEVICES)
