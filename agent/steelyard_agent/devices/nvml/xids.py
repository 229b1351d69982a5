"""What NVIDIA's XID numbers mean, as far as they tell an operator what to do.

Source: NVIDIA's catalogue of XID errors (docs.nvidia.com/deploy/xid-errors).
"""

from typing import Final, Literal

Severity = Literal["info", "warning", "error"]

# A program's own fault is a warning; what the hardware or the driver did is an error.
XIDS: Final[dict[int, tuple[Severity, str]]] = {
    13: ("warning", "a program raised an exception on the GPU"),
    31: ("warning", "a program touched memory that it may not, or the memory management failed"),
    32: ("error", "invalid or corrupted push buffer"),
    43: ("warning", "a program's channel was stopped after its own error"),
    45: ("warning", "a program's channel was removed, usually because it was ended"),
    48: ("error", "double bit ECC error; the GPU has to be reset"),
    61: ("error", "the GPU's microcontroller stopped"),
    62: ("error", "the GPU's microcontroller halted"),
    63: ("warning", "a memory row or page was set aside; it takes effect with the next reset"),
    64: ("error", "a memory row or page could not be set aside"),
    74: ("error", "NVLink error; look at its counters and cabling"),
    79: ("error", "the GPU fell off the bus"),
    92: ("warning", "many single bit ECC errors"),
    94: ("error", "ECC error, contained: the programs that it hit were ended"),
    95: ("error", "ECC error, not contained: the GPU has to be reset"),
    109: ("error", "a context switch took too long"),
    119: ("error", "the GPU's system processor did not answer"),
    120: ("error", "the GPU's system processor failed"),
    140: ("error", "ECC error that could not be recovered"),
    154: ("error", "the GPU asks for recovery"),
}


def xid_meaning(number: int) -> tuple[Severity, str]:
    """How grave an XID is, and what it says; one that isn't in the table is an error."""
    return XIDS.get(number, ("error", "see NVIDIA's catalogue of XID errors"))
