"""Load for the benches, from processes of its own."""
