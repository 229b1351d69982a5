"""A source of another package that does whatever it must not; a copy of this file is installed beside its orders.

The orders are files in the directory of this module, each named after what they are about: `import`, `discover`, or a
device's number. An order holds as long as its file is there:

    hang     the call returns when the file is gone
    raise    an error that no library has
    exit     the interpreter's own exit
    crash    the process ends at once
    long, short, text, nan, none   what the device gives instead of two figures
    garbage  what is listed is no device; the metrics are in no catalogue; the uid is there twice
"""

import os
import signal
import sys
import time
from pathlib import Path

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.model import DeviceInfo, DeviceProcess

HERE = Path(__file__).parent
FIGURES = (0.5, 100.0)
WRONG = {"long": (1.0, 2.0, 3.0), "short": (1.0,), "text": ("high", 100.0), "nan": (float("nan"), 100.0), "none": None}


def order(what):
    try:
        return (HERE / what).read_text().strip()
    except FileNotFoundError:
        return ""


def obey(what):
    while (word := order(what)) == "hang":
        time.sleep(0.005)
    if word == "raise":
        raise RuntimeError("as it was told")
    if word == "exit":
        sys.exit("as it was told")
    if word == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    return word


obey("import")


def open_unruly(request):
    obey("open")
    return Unruly(int(request.argument))


class Unruly:
    name = "unruly"
    capabilities = Capabilities(has_processes=True)

    def __init__(self, count):
        self._count = count

    def discover(self):
        word = obey("discover")
        if word == "garbage":
            return ["no device"]
        numbers = (1, 9999) if word == "metrics" else (1, 23)
        infos = [
            DeviceInfo(f"unruly-{n}", "unruly", "npu", "Unruly", {"fast": numbers, "processes": (67,)}, index=n)
            for n in range(self._count)
        ]
        return infos + infos[:1] if word == "twice" else infos

    def sample(self, uid, metric_class):
        word = obey(uid.partition("-")[2])
        if metric_class == "processes":
            return (1.0,)
        return WRONG.get(word, FIGURES)

    def poll(self, uid):
        pass

    def processes(self, uid):
        return [DeviceProcess(os.getpid(), 1 << 20)]

    def close(self):
        obey("close")
