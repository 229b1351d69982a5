"""Live views: each is read once a tick for everybody who watches."""
