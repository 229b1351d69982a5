"""The terminal program: live screens and plain commands."""
