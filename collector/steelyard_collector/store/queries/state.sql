multiIf(u.age_s IS NULL, 'silent', u.age_s * 1000 <= u.window_ms, 'live', u.age_s <= 60 + u.window_ms / 1000, 'stale', 'silent')
