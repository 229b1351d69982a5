"""What a chip can do at best, by the name that a recording gives it."""

from functools import lru_cache

from steelyard_proto.chips import load_chips


@lru_cache(maxsize=64)
def peak_tflops(chip: str, precision: str) -> float | None:
    """What a chip can do at best in this precision; None where either isn't known."""
    known = load_chips().match(chip) if chip else None
    if known is None:
        return None
    peak = {"bfloat16": known.bf16_tflops, "float16": known.fp16_tflops}.get(precision)
    # A recording's device is what the driver shows as one: a die where a package has several of them.
    return peak / known.dies if peak and known.per == "package" else peak
