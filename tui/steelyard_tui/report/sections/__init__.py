"""The parts of the report, each from what was gathered."""
