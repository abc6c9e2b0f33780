-- Column compression, which exists from PostgreSQL 14 on.
SELECT 'compression of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.'
                         || quote_ident(a.attname),
       CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' ELSE a.attcompression::text END
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'm')
   AND a.attcompression <> ''
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_class'::regclass
                      AND x.objid = c.oid AND x.deptype = 'e')
