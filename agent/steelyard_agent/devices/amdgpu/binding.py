"""The files of one device, kept open; what can't be read becomes one of our errors."""

import re
from pathlib import Path
from typing import Final

from steelyard_agent.devices.amdgpu.attributes import layout_of, partition_layout_of
from steelyard_agent.devices.amdgpu.errors import VENDOR, error_for
from steelyard_agent.devices.amdgpu.gpu_metrics import Figures, Layout, figures_of, version_of
from steelyard_agent.devices.procfs import KeptFile
from steelyard_proto.errors import DeviceError, NotSupported

_DPM_LEVEL: Final = re.compile(rb"^\d+:\s*(\d+)Mhz", re.MULTILINE | re.IGNORECASE)
_ERRORS: Final = re.compile(rb"(ue|ce|de):\s*(\d+)")
_COUNTS: Final = "_err_count"
_PAGE: Final = re.compile(rb":\s*([RPF])\s*$", re.MULTILINE)


class DeviceFiles:
    """Files below /sys/class/drm/cardN/device."""

    def __init__(self, folder: Path, address: str) -> None:
        """Opens nothing yet.

        Args:
            folder: the device's folder.
            address: its PCI address, for messages.
        """
        self.folder = folder
        self.address = address
        self._files: dict[str, KeptFile] = {}
        self._hwmon: Path | None = None
        self._layout: Layout | None = None
        self._labelled: dict[tuple[str, str], str] = {}

    def text(self, name: str) -> bytes:
        """A file's content.

        Raises:
            DeviceError: it can't be read; NotSupported where there is none.
        """
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = KeptFile(self.folder / name)
        try:
            return file.read()
        except OSError as error:
            raise error_for(error, call=name, device=self.address) from error

    def number(self, name: str) -> int:
        """A file's content as one integer."""
        return self._as_number(name, self.text(name))

    def sensor(self, name: str) -> int:
        """A file of the device's hwmon folder as one integer.

        Raises:
            DeviceError: as `text`.
        """
        return self.number(f"{self._sensors()}/{name}")

    def labelled(self, kind: str, label: str) -> str:
        """The input file of the sensor with a label: ("temp", "junction") gives temp2_input.

        Raises:
            NotSupported: there is none.
        """
        found = self._labelled.get((kind, label))
        if found is None:
            for path in sorted((self.folder / self._sensors()).glob(f"{kind}*_label")):
                if path.read_text(encoding="ascii", errors="replace").strip() == label:
                    found = self._labelled[kind, label] = path.name.replace("_label", "_input")
                    break
            else:
                raise self._unsupported(f"{kind} {label}")
        return found

    def gpu_metrics(self) -> Figures:
        """The driver's table.

        Raises:
            DeviceError: it can't be read; NotSupported where its version isn't known.
        """
        raw, layout = self._table()
        return figures_of(raw, layout.fields)

    def partitions(self) -> tuple[Figures, tuple[Figures, ...]]:
        """The time of the driver's table, and what it tells of each compute partition: nothing where none is told.

        Raises:
            DeviceError: as `gpu_metrics`.
        """
        raw, layout = self._table()
        time = figures_of(raw, {name: layout.fields[name] for name in ("time_10ns",) if name in layout.fields})
        return time, tuple(figures_of(raw, fields) for fields in layout.partitions)

    def partition(self, path: Path) -> Figures:
        """What the driver tells in a compute partition's own file.

        Raises:
            DeviceError: it can't be read; NotSupported where there is none, or its version isn't known.
        """
        raw = self.text(str(path))
        layout = partition_layout_of(raw)
        if layout is None:
            raise self._unknown(path.name, raw)
        return figures_of(raw, layout.fields)

    def highest_level_mhz(self, name: str) -> int:
        """The highest level of a clock, by a pp_dpm file."""
        levels = [int(level) for level in _DPM_LEVEL.findall(self.text(name))]
        if not levels:
            raise self._unsupported(name)
        return max(levels)

    def ras_blocks(self) -> tuple[str, ...]:
        """The parts of the chip whose errors the driver counts, in its words: umc (the memory), gfx, xgmi_wafl ..."""
        return tuple(sorted(path.name.removesuffix(_COUNTS) for path in (self.folder / "ras").glob(f"*{_COUNTS}")))

    def ras_errors(self, block: str) -> tuple[int, int, int | None]:
        """Corrected, uncorrected and deferred errors of a block; None where the chip doesn't tell the last.

        Raises:
            DeviceError: as `text`.
        """
        counts = {kind: int(count) for kind, count in _ERRORS.findall(self.text(f"ras/{block}{_COUNTS}"))}
        return counts.get(b"ce", 0), counts.get(b"ue", 0), counts.get(b"de")

    def bad_pages(self) -> tuple[int, int]:
        """Pages of memory that are retired, and that will be at the next reset."""
        states = _PAGE.findall(self.text("ras/gpu_vram_bad_pages"))
        return sum(state != b"P" for state in states), sum(state == b"P" for state in states)

    def is_awake(self) -> bool:
        """Whether a reading would not wake the device."""
        try:
            return self.text("power/runtime_status").strip() in (b"active", b"unsupported")
        except NotSupported:
            return True

    def close(self) -> None:
        """Closes the files."""
        for file in self._files.values():
            file.close()

    def _table(self) -> tuple[bytes, Layout]:
        raw = self.text("gpu_metrics")
        layout = self._layout
        if layout is None or not layout.is_of(raw):
            layout = self._layout = layout_of(raw)
        if layout is None:
            raise self._unknown("gpu_metrics", raw)
        return raw, layout

    def _unknown(self, call: str, raw: bytes) -> NotSupported:
        version = "{}.{} of {} bytes".format(*version_of(raw))
        return NotSupported(f"version {version} is not known", vendor=VENDOR, call=call, device=self.address)

    def _sensors(self) -> Path:
        if self._hwmon is None:
            found = sorted((self.folder / "hwmon").glob("hwmon*"))
            if not found:
                raise self._unsupported("hwmon")
            self._hwmon = found[0].relative_to(self.folder)
        return self._hwmon

    def _as_number(self, name: str, text: bytes) -> int:
        try:
            return int(text)
        except ValueError as error:
            message = f"{text[:20]!r} is no number"
            raise DeviceError(message, vendor=VENDOR, call=name, device=self.address) from error

    def _unsupported(self, call: str) -> NotSupported:
        return NotSupported("this device has none", vendor=VENDOR, call=call, device=self.address)
