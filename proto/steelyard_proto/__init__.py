"""The contract between agents, collector and clients: messages, metrics, chips, units, errors."""
