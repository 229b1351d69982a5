"""Reusable widgets, sized by arguments."""
