-- Tables and materialised views with estimated rows and bytes, the largest first. Leaves count
-- for the partitioned table above them. pg_total_relation_size waits for an ACCESS EXCLUSIVE
-- lock; without `measured` the pages of the last ANALYZE stand in for it.
WITH RECURSIVE top AS (
  SELECT c.oid, c.relkind, n.nspname, c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND c.relpersistence <> 't'
     AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND n.nspname <> 'rollback_tui'
     AND n.nspname <> ALL (ARRAY(/* schemas of archives */))
), part (top, oid) AS (
  SELECT oid, oid FROM top
  UNION ALL
  SELECT p.top, i.inhrelid
    FROM part p JOIN pg_inherits i ON i.inhparent = p.oid
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
), leaf AS (
  SELECT p.top,
         -- Never analysed is -1; up to PostgreSQL 13 it is 0, as for an empty table.
         CASE WHEN c.relkind = 'p' THEN 0::float8
              WHEN c.reltuples < 0 OR (c.reltuples = 0 AND c.relpages = 0
                AND current_setting('server_version_num')::int < 140000) THEN NULL
              ELSE c.reltuples::float8 END AS rows,
         CASE WHEN %(measured)s THEN pg_total_relation_size(c.oid)
              ELSE current_setting('block_size')::bigint * (c.relpages
                + coalesce((SELECT t.relpages FROM pg_class t WHERE t.oid = c.reltoastrelid), 0)
                + coalesce((SELECT sum(i.relpages) FROM pg_index x JOIN pg_class i
                               ON i.oid = x.indexrelid WHERE x.indrelid = c.oid), 0))
              END AS bytes
    FROM part p JOIN pg_class c ON c.oid = p.oid
)
SELECT quote_ident(t.nspname) || '.' || quote_ident(t.relname),
       CASE t.relkind WHEN 'p' THEN 'partitioned table' WHEN 'm' THEN 'materialised view'
                      ELSE 'table' END,
       CASE WHEN count(l.rows) = count(*) THEN sum(l.rows)::bigint END,
       coalesce(sum(l.bytes), 0)::bigint
  FROM top t JOIN leaf l ON l.top = t.oid
 GROUP BY t.oid, t.relkind, t.nspname, t.relname
 ORDER BY 4 DESC, 1
