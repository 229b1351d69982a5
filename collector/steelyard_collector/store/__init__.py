"""ClickHouse: migrations, blocks, rollups, views, and the two ways to reach it."""
