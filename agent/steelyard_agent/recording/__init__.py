"""A recording: what an agent would send, in one compressed file."""
