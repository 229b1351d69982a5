"""What people ask of agents: a profile now, a raw trace, a pause of the continuous ones."""
