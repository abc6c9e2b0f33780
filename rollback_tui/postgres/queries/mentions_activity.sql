-- What other sessions of this database run, or ran last, of all that could name what goes.
SELECT coalesce(a.application_name, ''), coalesce(a.usename, ''), left(a.query, 10000)
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database()
  AND a.query ~* %(pattern)s
  AND a.application_name <> 'pg_dump'
  AND NOT (a.application_name LIKE 'rollback\_tui%%' AND a.usename = current_user)
ORDER BY a.query_start DESC NULLS LAST
LIMIT 1000
