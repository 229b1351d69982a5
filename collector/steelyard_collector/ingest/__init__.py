"""Receiving: the stream from each agent, checked, in order, once, into blocks."""
