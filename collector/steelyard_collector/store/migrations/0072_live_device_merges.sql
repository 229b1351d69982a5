-- needs the settings auto_statistics_types, write_marks_for_substreams_in_compact_parts
-- none of our queries uses statistics of columns, or reads half a column: both cost merges a third of their time
ALTER TABLE steelyard_store.live_device${local} ${on_cluster}
MODIFY SETTING auto_statistics_types = '', write_marks_for_substreams_in_compact_parts = 0
