"""SQL from people: the gate, the gRPC service and the ClickHouse HTTP endpoint."""
