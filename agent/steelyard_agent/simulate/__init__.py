"""A fleet of simulated nodes that stream to a collector as agents do, and what they say they have sent."""
