-- written anew with each rollup that the job has a part in; jobs are listed for a week after their end
ALTER TABLE steelyard_store.job_total${local} ${on_cluster} MODIFY TTL toDateTime(ver / 1000) + INTERVAL 90 DAY
