"""Watchers of the live views: each view is read once a tick for all of them, and each gets its own page."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import pyarrow as pa

from steelyard_collector.live.page import Arranged, Cut, Page, arrange, page_of, period_s
from steelyard_collector.live.source import LIVE_LIMITS, ViewSource
from steelyard_collector.sql.pool import open_reader, too_many
from steelyard_collector.store.base import ReadLimits, Store
from steelyard_proto.errors import StoreError
from steelyard_proto.v1 import query_pb2

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

# Readings that may fail one after another before the watchers are told so; until then their figures only age.
PATIENCE: Final = 3
MAX_WATCHERS: Final = 256

# Unix time in ms.
Clock = Callable[[], int]


@dataclass(slots=True)
class Frame:
    """A view at one moment, with the pages that were cut out of it so far; touched by the reading thread only."""

    time_ms: int
    table: pa.Table
    cuts: dict[Page, Cut] = field(default_factory=dict)
    arranged: dict[Any, Arranged] = field(default_factory=dict)

    def page(self, page: Page) -> Cut:
        """The page; watchers who ask for the same share one, and scrolling neither filters nor sorts anew."""
        if page not in self.cuts:
            if page.arrangement not in self.arranged:
                self.arranged[page.arrangement] = arrange(self.table, page)
            self.cuts[page] = self.arranged[page.arrangement].page(page)
        return self.cuts[page]


@dataclass(slots=True)
class Watched:
    """A view that somebody watches.

    Attributes:
        needs: by watcher, the columns that its page is made of.
        periods: by watcher, its seconds between frames.
        number: of the newest reading; it rises with each.
        frame: the newest that could be read.
        failure: why the newest reading failed, None when it didn't.
        failures: readings that failed one after another.
    """

    needs: dict[object, frozenset[str]] = field(default_factory=dict)
    periods: dict[object, float] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    number: int = 0
    frame: Frame | None = None
    failure: StoreError | None = None
    failures: int = 0
    task: asyncio.Task[None] | None = None


class LiveViews:
    """Runs in one event loop; all reading and cutting is done by one thread of its own, so ingest never waits for it.

    Args:
        store: what is read.
        clock: Unix time in ms.
        limits: what one reading of a view may use.
    """

    def __init__(self, store: Store, clock: Clock, limits: ReadLimits = LIVE_LIMITS) -> None:
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._source = ViewSource(lambda: open_reader(store, limits))
        self._views: dict[str, Watched] = {}
        self.readings = 0

    @property
    def watchers(self) -> int:
        """Streams that watch now."""
        return sum(len(view.needs) for view in self._views.values())

    async def watch(self, request: query_pb2.WatchRequest) -> AsyncIterator[query_pb2.WatchReply]:
        """Frames of a page, one a period; a watcher that is slow gets the newest and misses those between.

        Raises:
            BadRequest: the view, a column or the filter is wrong.
            StoreError: the view can't be read.
        """
        if self.watchers >= MAX_WATCHERS:
            raise too_many(f"{self.watchers} streams watch already")
        schema = await self._in_thread(lambda: self._source.schema(request.view))
        page, period = page_of(request, schema), period_s(request)
        loop, watcher = asyncio.get_running_loop(), object()
        view = self._join(request.view, watcher, page.needs(schema), period)
        try:
            number = view.number
            while True:
                due = loop.time() + period
                frame, number = await _next(view, number, page.needs(schema))
                done = await self._in_thread(lambda frame=frame: frame.page(page))  # type: ignore[misc]
                yield query_pb2.WatchReply(
                    time_ms=frame.time_ms,
                    total_rows=done.total_rows,
                    all_rows=done.all_rows,
                    arrow_ipc=done.arrow_ipc,
                )
                await asyncio.sleep(due - period / 4 - loop.time())
        finally:
            self._leave(request.view, watcher)

    async def close(self) -> None:
        """Ends the readings; streams that still watch end with an error."""
        tasks = [view.task for view in self._views.values() if view.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._in_thread(self._source.close)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _join(self, name: str, watcher: object, needs: frozenset[str], period: float) -> Watched:
        view = self._views.setdefault(name, Watched())
        view.needs[watcher], view.periods[watcher] = needs, period
        if view.task is None:
            view.task = asyncio.create_task(self._read_view(name, view), name=f"live {name}")
        # A newcomer doesn't wait for the end of a long period.
        view.joined.set()
        return view

    def _leave(self, name: str, watcher: object) -> None:
        view = self._views[name]
        del view.needs[watcher], view.periods[watcher]
        if not view.needs:
            del self._views[name]
            if view.task is not None:
                view.task.cancel()

    async def _read_view(self, name: str, view: Watched) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            view.joined.clear()
            needs = frozenset().union(*view.needs.values())
            frame, failure = await self._reading(name, needs)
            async with view.changed:
                view.frame, view.failure = frame or view.frame, failure
                view.failures = view.failures + 1 if failure else 0
                view.number += 1
                view.changed.notify_all()
            # Late readings are left out, never caught up with.
            due = max(due + min(view.periods.values(), default=1.0), loop.time())
            try:
                await asyncio.wait_for(view.joined.wait(), due - loop.time())
            except TimeoutError:
                continue
            due = loop.time()

    async def _reading(self, name: str, needs: frozenset[str]) -> tuple[Frame | None, StoreError | None]:
        def read() -> Frame:
            time_ms = self._clock()
            return Frame(time_ms, self._source.read(name, needs))

        self.readings += 1
        try:
            return await self._in_thread(read), None
        except StoreError as error:
            log.warning("the view %s could not be read: %s", name, error)
            return None, error

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


async def _next(view: Watched, number: int, needs: frozenset[str]) -> tuple[Frame, int]:
    """The next frame after `number` that has these columns: one that was being read on joining may not."""
    async with view.changed:
        while True:
            after = number
            await view.changed.wait_for(lambda: view.number > after)  # noqa: B023 - read at once
            number = view.number
            if view.failure is not None and (view.frame is None or view.failures >= PATIENCE):
                raise view.failure
            if view.failure is None and view.frame is not None and needs.issubset(view.frame.table.column_names):
                return view.frame, number
