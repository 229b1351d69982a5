"""`python -m tests.bench.load.watcher ADDRESS SECONDS [AFTER]`: watches all devices, and says how old what it sees is.

Once a second, whether a frame came or not, it takes the age of each device's newest sample. Prints one object.
"""

import json
import sys
import threading
import time

import grpc
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steelyard_proto.v1 import query_pb2, query_pb2_grpc
from tests.bench.asking import CHANNEL_OPTIONS

_BIN_S = 0.01
_BINS = 60_000


class Watcher:
    """A reader of the frames, and the ages that were seen."""

    def __init__(self) -> None:
        self._newest_s: npt.NDArray[np.float64] = np.empty(0)
        self._counts = np.zeros(_BINS + 1, np.int64)
        self.frames = 0
        self.failure: str | None = None

    def read(self, address: str) -> None:
        """Takes frames until the stream ends."""
        request = query_pb2.WatchRequest(view="devices", columns=["last_seen"])
        try:
            with grpc.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
                for reply in query_pb2_grpc.QueryStub(channel).Watch(request):
                    with pa.ipc.open_stream(reply.arrow_ipc) as stream:
                        column = stream.read_all()["last_seen"].drop_null()
                    self._newest_s = column.cast(pa.int64()).to_numpy() / 1000
                    self.frames += 1
        except grpc.RpcError as error:
            self.failure = str(error)

    def look(self) -> None:
        """Counts the ages as they are now."""
        ages = time.time() - self._newest_s
        bins = np.clip(ages / _BIN_S, 0, _BINS).astype(np.int64)
        self._counts += np.bincount(bins, minlength=_BINS + 1)

    def summary(self) -> dict[str, float]:
        """The figures of the whole run."""
        total = np.cumsum(self._counts)

        def age_s(share: float) -> float:
            return float(np.searchsorted(total, share * total[-1])) * _BIN_S

        return {
            "frames": self.frames,
            "devices": len(self._newest_s),
            "p50_s": age_s(0.5),
            "p99_s": age_s(0.99),
            "worst_s": age_s(1.0),
        }


def main() -> int:
    """Watches for the given time, that many seconds from now on."""
    address, seconds = sys.argv[1], float(sys.argv[2])
    time.sleep(float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
    watcher = Watcher()
    threading.Thread(target=watcher.read, args=(address,), daemon=True).start()
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s and watcher.failure is None:
        time.sleep(1.0)
        watcher.look()
    if watcher.failure is not None:
        print(watcher.failure, file=sys.stderr)
        return 1
    print(json.dumps(watcher.summary() | {"seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
