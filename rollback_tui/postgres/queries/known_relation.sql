-- A relation as written in a statement, looked up with the session's search_path: its qualified
-- name, and the quoted name of one of its columns (given bare or quoted).
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       (SELECT quote_ident(a.attname) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           AND %(column)s::text IN (a.attname, quote_ident(a.attname))
         ORDER BY a.attname = %(column)s::text DESC LIMIT 1)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = to_regclass(%(name)s) AND c.relkind IN ('r', 'p', 'm', 'f', 'v')
