-- Tables that could be a migration framework's version table, with columns and primary key.
SELECT n.nspname, c.relname,
       array_agg(a.attname::text ORDER BY a.attnum),
       array_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum),
       coalesce((SELECT array_agg(k.attname::text ORDER BY p.place)
                   FROM pg_index x
                  CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS p(num, place)
                   JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = p.num
                  WHERE x.indrelid = c.oid AND x.indisprimary), ARRAY[]::text[])
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p')
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> 'rollback_tui'
   AND n.nspname <> ALL (ARRAY(/* schemas of archives */))
   AND (c.relname = ANY (%(names)s) OR c.oid = to_regclass(nullif(%(configured)s, ''))
        OR n.nspname || '.' || c.relname = %(configured)s)
 GROUP BY n.nspname, c.relname, c.oid
 ORDER BY n.nspname, c.relname
