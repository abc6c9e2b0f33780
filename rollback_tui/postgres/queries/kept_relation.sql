-- A relation whose data may be kept. With an empty search_path. Always at most one row.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,
       c.relkind::text AS kind,
       pg_get_userbyid(c.relowner) AS owner,
       has_table_privilege(c.oid, 'SELECT') AS readable,
       row_security_active(c.oid) AS filtered,
       ARRAY(SELECT i.inhrelid::bigint FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
              WHERE i.inhparent = c.oid AND NOT k.relispartition) AS children,
       EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type IN ('2', '3', '4')
                  AND w.ev_enabled IN ('O', 'A')) AS ruled,
       CASE WHEN c.relkind = 'p' THEN
         EXISTS (SELECT FROM pg_partition_tree(c.oid) p JOIN pg_class k ON k.oid = p.relid
                  WHERE k.relkind = 'f') ELSE false END AS has_foreign_parts,
       CASE WHEN c.relkind = 'p' THEN
         (SELECT sum(pg_table_size(p.relid)) FROM pg_partition_tree(c.oid) p WHERE p.isleaf)
            WHEN c.relkind = 'r' THEN pg_table_size(c.oid) END::bigint AS bytes,
       -- Never analysed is -1; up to PostgreSQL 13 it is 0, as for an empty table.
       CASE WHEN c.relkind = 'p' THEN
         (SELECT CASE WHEN bool_and(k.reltuples >= 0) THEN sum(k.reltuples) END
            FROM pg_partition_tree(c.oid) p JOIN pg_class k ON k.oid = p.relid WHERE p.isleaf)
            WHEN c.reltuples < 0 OR (c.reltuples = 0 AND c.relpages = 0) THEN NULL
            ELSE c.reltuples END::bigint AS rows
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = %(oid)s
