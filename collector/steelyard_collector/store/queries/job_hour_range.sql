m.bucket >= toDateTime(${from_s}, 'UTC') AND m.bucket < toDateTime(${to_s}, 'UTC') AND m.job IN
        (
            SELECT job FROM steelyard_store.job_minute
            WHERE ${agents} AND bucket >= toDateTime(${from_s}, 'UTC') AND bucket < toDateTime(${to_s}, 'UTC')
        )
