"""Every error that Steelyard raises on purpose.

SteelyardError
├── ConfigError        a setting is wrong: path, key
├── DeviceError        a vendor's call failed: vendor, device, call, code
│   ├── DeviceLost         the device is gone, for now or for good
│   ├── NotSupported       this device or library never gives this
│   ├── NotPermitted       it would, to a user with more rights
│   ├── DeviceTimeout      the call outlived its deadline
│   └── LibraryMissing     the vendor's library is not on this machine
├── ContractError      a message breaks the contract: field
├── SpoolError         the spool can't be read or written
├── TraceError         a profile can't be read: path, place
├── StoreError         ClickHouse refused: code, name
├── StoreLost          another collector writes the store now
└── TransportError     the other side can't be reached

A message names the thing, the value and the remedy. Only a `cli` turns one into text and an exit code.
"""


class SteelyardError(Exception):
    """The base of all; `exit_code` is what a program ends with."""

    exit_code = 1


class ConfigError(SteelyardError):
    """A setting is wrong."""

    exit_code = 2

    def __init__(self, message: str, *, path: str = "", key: str = "") -> None:
        self.path = path
        self.key = key
        where = ": ".join(part for part in (path, key) if part)
        super().__init__(f"{where}: {message}" if where else message)


class DeviceError(SteelyardError):
    """A vendor's call failed."""

    def __init__(self, message: str, *, vendor: str, call: str, device: str = "", code: int | None = None) -> None:
        self.vendor = vendor
        self.device = device
        self.call = call
        self.code = code
        number = "" if code is None else f" (code {code})"
        super().__init__(f"{vendor} {device + ' ' if device else ''}{call}: {message}{number}")


class DeviceLost(DeviceError):
    """The device is gone, for now or for good."""


class NotSupported(DeviceError):
    """This device or library never gives this."""


class NotPermitted(DeviceError):
    """It would be given to a user with more rights."""


class DeviceTimeout(DeviceError):
    """The call outlived its deadline."""


class LibraryMissing(DeviceError):
    """The vendor's library is not on this machine."""


class ContractError(SteelyardError):
    """A message breaks the contract."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(f"{field}: {message}")


class SpoolError(SteelyardError):
    """The spool can't be read or written."""


class TraceError(SteelyardError):
    """A profile can't be read.

    Attributes:
        path: the file.
        place: where in it: a byte, a line, a table or a column; empty where it is the whole.
        reason: what is wrong and what to do, without the two.
    """

    def __init__(self, message: str, *, path: str, place: str = "") -> None:
        self.path = path
        self.place = place
        self.reason = message
        super().__init__(": ".join(part for part in (path, place, message) if part))


class StoreError(SteelyardError):
    """ClickHouse refused.

    Attributes:
        code: ClickHouse's number of the error, 0 where there is none.
        name: its symbolic name, for example NOT_ENOUGH_SPACE.
    """

    def __init__(self, message: str, *, code: int = 0, name: str = "") -> None:
        self.code = code
        self.name = name
        super().__init__(message)


class StoreLost(SteelyardError):
    """Another collector writes the store now."""


class TransportError(SteelyardError):
    """The other side can't be reached."""

    exit_code = 3
