SELECT profile FROM profiles WHERE ${chosen} ORDER BY profiler IN ('py_spy', 'msprof'), rank, ts
