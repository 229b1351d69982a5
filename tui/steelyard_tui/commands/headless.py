"""What `demo` and `local` print where there is no terminal: the fleet, and an answer in SQL."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, Final

from steelyard_proto.errors import SteelyardError, StoreError
from steelyard_tui.commands.formats import write_table
from steelyard_tui.commands.processes import ProcessTree, wait_until
from steelyard_tui.queries import read_query

if TYPE_CHECKING:
    from steelyard_tui.client import Client

_START_S: Final = 60.0
# A busy machine takes its time to load torch; a training is told of after eight steps.
_STEPS_S: Final = 60.0
_REFERENCE: Final = "H100"
_SHARES_OF_S: Final = 86_400
_NO_SHARES: Final = f"no shares of {_REFERENCE} yet: its jobs aren't rolled up so far"
_ORIGINS: Final = {"simulated": "simulated: no such device exists", "replayed": "replayed: recorded before"}


def wait_for_devices(client: "Client", tree: ProcessTree, seconds: float, origins: Sequence[str]) -> None:
    """Waits until devices of each of these origins report, then lets some more seconds of samples come in.

    Raises:
        SteelyardError: a program ended, the fleet can't be read, or nothing reports in time.
    """

    def reporting() -> bool:
        try:
            rows = client.sql(read_query("demo_reporting")).table.to_pylist()
        except StoreError as error:
            raise SteelyardError(f"the fleet can't be read: {error}") from error
        return set(origins) <= {row["origin"] for row in rows if row["reporting"]}

    wait_until(reporting, tree, f"{' and '.join(origins)} devices to report", _START_S)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tree.check()
        time.sleep(min(0.5, max(0.0, end - time.monotonic())))


def wait_for_steps(client: "Client", tree: ProcessTree) -> None:
    """Waits until a training on this machine has told steps; without them the fleet is shown all the same."""
    end = time.monotonic() + _STEPS_S
    while time.monotonic() < end and client.sql(read_query("demo_training")).table.num_rows == 0:
        tree.check()
        time.sleep(0.5)


def wait_for_shares(client: "Client", tree: ProcessTree, seconds: float) -> None:
    """Waits until the first shares of the reference are kept; without them the fleet is shown all the same.

    What ran before must be sent and rolled up; the collector looks for it every few seconds.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end and client.sql(read_query("demo_shares")).table.num_rows == 0:
        tree.check()
        time.sleep(0.5)


def print_shares(client: "Client", out: BinaryIO) -> None:
    """How much of the reference each simulated chip is, as `steelyard compare` says it."""
    from steelyard_tui.commands.share_table import table_lines
    from steelyard_tui.present.glyphs import UNICODE

    answer = client.compare(_SHARES_OF_S, quantity="tokens_per_s_device", mode="matched")
    wanted = (_REFERENCE, "device", "simulated")
    rows = [row for row in answer.table.to_pylist() if (row["reference"], row["unit"], row["origin"]) == wanted]
    lines = [line.rstrip() for line in table_lines(rows, UNICODE)] if rows else [_NO_SHARES]
    out.write("\n".join(["", *lines, ""]).encode())


def print_fleet(client: "Client", out: BinaryIO) -> None:
    """The live fleet and one question with its answer.

    Raises:
        SteelyardError: the store has no answer.
    """
    asked = (
        ("The fleet now", "demo_fleet"),
        ("Trained on this machine in the last minute", "demo_training"),
        ("Asked in SQL: the last minute by chip", "demo_question"),
    )
    notes = []
    for title, name, query in ((title, name, read_query(name)) for title, name in asked):
        table = client.sql(query).table
        if table.num_rows == 0 and name == "demo_training":
            continue
        if table.num_rows == 0:
            raise SteelyardError(f"no rows for: {query}")
        out.write(f"{title}\n".encode())
        write_table(table, "table", out)
        out.write(b"\n")
        notes += [
            note for origin, note in _ORIGINS.items() if origin in table["origin"].to_pylist() and note not in notes
        ]
    notes += ["–: not given", "shares and means are of live devices"]
    out.write(f"{'; '.join(notes)}\n".encode())
