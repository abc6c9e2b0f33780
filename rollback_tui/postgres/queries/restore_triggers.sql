-- The application's triggers that would fire on the given tables and their partitions, the
-- partitioned table before its partitions: (table, trigger, also under replication).
SELECT format('%%I.%%I', n.nspname, c.relname), quote_ident(t.tgname), t.tgenabled = 'A'
  FROM unnest(%(tables)s::oid[]) AS given (oid)
  CROSS JOIN LATERAL (SELECT given.oid AS relid, 0 AS level UNION
                      SELECT p.relid::oid, p.level FROM pg_partition_tree(given.oid) p) part
  JOIN pg_trigger t ON t.tgrelid = part.relid
  JOIN pg_class c ON c.oid = part.relid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
 GROUP BY n.nspname, c.relname, t.tgname, t.tgenabled
 ORDER BY min(part.level), 1, 2
