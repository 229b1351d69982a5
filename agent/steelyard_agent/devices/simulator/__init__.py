"""Plausible devices of any chip of the table, training; everything they say is marked as simulated."""
