"""Shares of a reference and claims: computed from the jobs' figures, and kept as rows for everybody."""
