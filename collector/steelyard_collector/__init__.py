"""The collector: receives from agents, stores in ClickHouse, serves live views and SQL."""
