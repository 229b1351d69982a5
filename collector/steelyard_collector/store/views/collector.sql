CREATE OR REPLACE VIEW steelyard.collector ${on_cluster} AS
SELECT
    pid, streams, rows, samples, blocks, insert_s, failures, nullIf(last_error, '') AS last_error, queued_bytes,
    queue_age_s, refused, rollup_s, nullIf(rolled_to, toDateTime64(0, 3, 'UTC')) AS rolled_to, store_bytes,
    max_store_bytes, oldest_day, cpu_s, recorded
FROM steelyard_store.collector_state FINAL
