-- The columns of stored relations whose type is the domain, or a domain made of it.
WITH RECURSIVE domains (oid) AS (
  SELECT to_regtype(%(domain)s)::oid
  UNION
  SELECT t.oid FROM domains d JOIN pg_type t ON t.typbasetype = d.oid AND t.typtype = 'd'
)
SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname
  FROM domains d
  JOIN pg_attribute a ON a.atttypid = d.oid AND NOT a.attisdropped
  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
  JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 2, a.attnum
