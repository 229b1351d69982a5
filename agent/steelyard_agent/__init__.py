"""The agent: runs on every node, samples its devices and streams what it sees."""
