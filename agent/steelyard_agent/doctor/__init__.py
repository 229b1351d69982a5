"""`steelyard-agent doctor`: one check a file, each a function from what is looked at to its findings."""
