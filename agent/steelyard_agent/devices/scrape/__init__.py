"""Devices as an exporter on this node tells them, for nodes where the agent may not touch the driver."""
