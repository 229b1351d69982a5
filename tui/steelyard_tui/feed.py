"""One thread that watches what the current screen shows, and finds the collector again when it is lost."""

import threading
import time
from collections.abc import Callable
from typing import Final

from steelyard_proto.errors import ContractError, StoreError, TransportError
from steelyard_tui.client import Cancelled, Client, WatchFrame, WatchQuery, WatchStream
from steelyard_tui.messages import LinkChanged, PageArrived
from steelyard_tui.state import Link, LinkState, Page

_BACKOFF_S: Final = (0.5, 1.0, 2.0, 3.0)
_REFUSED_S: Final = 5.0

Post = Callable[[PageArrived | LinkChanged], object]


class Feed:
    """Watches one query at a time; a new one replaces the old at once.

    Args:
        client: the connection.
        post: takes messages; called from this feed's thread.
        clock: monotonic seconds, for the age of figures.
    """

    def __init__(self, client: Client, post: Post, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._post = post
        self._clock = clock
        self._changed = threading.Condition()
        self._query: WatchQuery | None = None
        self._generation = 0
        self._stream: WatchStream | None = None
        self._closed = False
        self._attempts = 0
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def show(self, query: WatchQuery | None) -> int:
        """Watches `query` from now on; None watches nothing.

        Returns:
            the generation that the messages about it carry.
        """
        with self._changed:
            self._generation += 1
            self._query = query
            stream, self._stream = self._stream, None
            self._changed.notify()
        if stream is not None:
            stream.cancel()
        return self._generation

    def restart(self) -> None:
        """Watches the same query anew, for a stream that has gone quiet."""
        with self._changed:
            stream, self._stream = self._stream, None
            self._changed.notify()
        if stream is not None:
            stream.cancel()

    def close(self) -> None:
        """Ends the thread; returns when it has ended."""
        with self._changed:
            self._closed = True
        self.show(None)
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and self._query is None:
                    self._changed.wait()
                if self._closed:
                    return
                query, generation = self._query, self._generation
            assert query is not None
            try:
                self._watch(query, generation)
            except Cancelled:
                continue
            except (StoreError, ContractError) as error:
                # Mostly the user's words, which they will change; but a limit or an old collector may pass too.
                self._post(LinkChanged(LinkState(Link.REFUSED, 0, str(error)), generation))
                self._wait(generation, _REFUSED_S)
            except TransportError as error:
                self._attempts += 1
                self._post(LinkChanged(LinkState(Link.LOST, self._attempts, str(error)), generation))
                self._wait(generation, _BACKOFF_S[min(self._attempts, len(_BACKOFF_S)) - 1])

    def _watch(self, query: WatchQuery, generation: int) -> None:
        stream = self._client.watch(query)
        with self._changed:
            if self._closed or generation != self._generation:
                stream.cancel()
                return
            self._stream = stream
        first = True
        for frame in stream:
            if first:
                self._attempts, first = 0, False
                self._post(LinkChanged(LinkState(Link.LIVE), generation))
            self._post(PageArrived(_page(query, frame, self._clock()), generation))
        raise TransportError(f"the collector at {self._client.address} ended the stream")

    def _wait(self, generation: int, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._generation != generation, timeout=seconds)


def _page(query: WatchQuery, frame: WatchFrame, received_s: float) -> Page:
    columns = {name: frame.table.column(name).to_pylist() for name in frame.table.column_names}
    return Page(
        query=query,
        time_ms=frame.time_ms,
        received_s=received_s,
        total=frame.total_rows,
        all_rows=frame.all_rows,
        columns=columns,
        order=tuple(range(frame.table.num_rows)),
    )
