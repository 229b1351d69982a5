"""Who may do what: tokens with roles, TLS, and where a collector may listen without them."""
