"""`steelyard-agent doctor`: one check per file."""
