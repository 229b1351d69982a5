"""One screen per file: composition and messages only."""
