-- as long as the minutes that are rolled up with it; an interval that is open is told anew
ALTER TABLE steelyard_store.job_interval${local} ${on_cluster} MODIFY TTL toDateTime(to_ts) + INTERVAL 90 DAY
