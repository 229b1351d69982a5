SELECT profile FROM profiles WHERE ${chosen} ORDER BY ts DESC LIMIT 1
