-- The columns of a relation, in order: what an archive must know of each. With an empty
-- search_path.
--
-- as_text: the type does not belong to PostgreSQL itself, so that dropping it would need the
-- archive's column to go first; or it is the number of an object that may be gone by then.
SELECT quote_ident(a.attname) AS name,
       format_type(a.atttypid, a.atttypmod) AS type,
       t.oid >= 16384 OR t.typnamespace <> 'pg_catalog'::regnamespace
         OR t.typname ~ '^_?reg' AS as_text,
       coalesce(k.collnamespace <> 'pg_catalog'::regnamespace, false) AS collated,
       a.attgenerated <> '' AS generated,
       a.attidentity = 'a' AS always_identity,
       (SELECT max(s.avg_width) FROM pg_stats s
         WHERE s.schemaname = n.nspname AND s.tablename = c.relname
           AND s.attname = a.attname) AS width
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_collation k ON k.oid = a.attcollation
 WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
