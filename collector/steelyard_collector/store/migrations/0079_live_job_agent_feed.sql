ALTER TABLE steelyard_store.live_job_feed ${on_cluster} MODIFY QUERY
SELECT agent, device_id, job, from_ts, to_ts, closed, scheduler, user, name, world_size, ver
FROM steelyard_store.job_interval${local}
