-- Tables, materialised views and foreign tables with their file and with what this backend counted
-- of rows written and has not reported yet, and the files of indexes. {x} is "xact_" for that, and
-- nothing for what all backends have reported.
-- A partition has the oid of the table above it.
SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text,
       c.relfilenode,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_stat_get_{x}tuples_inserted(c.oid) ELSE 0 END,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_stat_get_{x}tuples_updated(c.oid) ELSE 0 END,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_stat_get_{x}tuples_deleted(c.oid) ELSE 0 END,
       CASE WHEN c.relispartition THEN
         (SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid AND i.inhseqno = 1)
       END
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm', 'f', 'i') AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> 'rollback_tui'
   AND n.nspname <> ALL (ARRAY(/* schemas of archives */))
