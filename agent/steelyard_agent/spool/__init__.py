"""The bounded ring on disk that every message passes through before it is sent."""
