"""Stacks as an icicle: a tree of frames, what of it fits a width, and what may be asked of it; no terminal needed."""
