"""What `demo` and `local` print where there is no terminal: the fleet, and an answer in SQL."""

import time
from typing import BinaryIO, Final

from steelyard_proto.errors import SteelyardError, StoreError
from steelyard_tui.client import Client
from steelyard_tui.commands.formats import write_table
from steelyard_tui.commands.processes import ProcessTree, wait_until

FLEET: Final = """\
SELECT vendor, chip, part, origin, nodes, reporting, jobs,
       round(100 * busy) AS `busy %`, round(100 * core_active) AS `core %`, round(100 * tensor_active) AS `tensor %`,
       round(power_total_w) AS `power W`
FROM fleet_live ORDER BY vendor, chip, part, origin"""

QUESTION: Final = """\
SELECT chip, origin, count() AS samples, uniqExact(device_id) AS devices, round(avg(power_w), 1) AS `mean W`,
       round(100 * avg(busy), 1) AS `mean busy %`
FROM device_history WHERE level = 'raw' AND ts > now() - INTERVAL 1 MINUTE
GROUP BY chip, origin ORDER BY chip"""

_START_S: Final = 60.0


def wait_for_devices(client: Client, tree: ProcessTree, seconds: float, wanted: int = 1) -> None:
    """Waits until that many devices report, then lets some more seconds of samples come in."""

    def reporting() -> bool:
        try:
            rows = client.sql("SELECT toUInt32(sum(reporting)) AS n FROM fleet_live").table.to_pylist()
        except StoreError as error:
            raise SteelyardError(f"the fleet can't be read: {error}") from error
        return bool(rows and (rows[0]["n"] or 0) >= wanted)

    wait_until(reporting, tree, f"{wanted} devices to report", _START_S)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tree.check()
        time.sleep(min(0.5, max(0.0, end - time.monotonic())))


def print_fleet(client: Client, out: BinaryIO) -> None:
    """The live fleet and one question with its answer.

    Raises:
        SteelyardError: the store has no answer.
    """
    for title, query in (("The fleet now", FLEET), ("Asked in SQL: the last minute by chip", QUESTION)):
        table = client.sql(query).table
        if table.num_rows == 0:
            raise SteelyardError(f"no rows for: {query}")
        out.write(f"{title}\n".encode())
        write_table(table, "table", out)
        out.write(b"\n")
