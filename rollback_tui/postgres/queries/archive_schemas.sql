-- Schemas that hold what our runs kept; told by their name and by the comment we put on them.
SELECT ours.nspname FROM pg_catalog.pg_namespace ours
 WHERE ours.nspname ~ '^rollback_archive_[0-9a-f]{8}$'
   AND pg_catalog.obj_description(ours.oid, 'pg_namespace') ~ '^rollback-tui archive of run [0-9a-f-]{36}'
