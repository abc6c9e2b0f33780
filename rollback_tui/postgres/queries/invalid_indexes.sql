-- Indexes that are not used: a build that failed, or a partitioned one without all its parts.
SELECT quote_ident(n.nspname) || '.' || quote_ident(i.relname)
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
 WHERE NOT (x.indisvalid AND x.indisready AND x.indislive)
   AND n.nspname !~ '^pg_(temp|toast_temp)' AND n.nspname <> 'information_schema'
   AND n.nspname <> 'rollback_tui'
   AND n.nspname <> ALL (ARRAY(/* schemas of archives */))
 ORDER BY 1
