INSERT INTO steelyard_store.job_fact (${columns}, ver)
SELECT ${columns}, ${ver} FROM steelyard_store.job_facts WHERE ${jobs}
SETTINGS ${settings}
