"""From the spool to the collector: one gRPC stream, kept open."""
