SELECT profile FROM profiles WHERE ${chosen} ORDER BY profiler IN ('py_spy', 'msprof'), ts DESC LIMIT 1
