-- What TRUNCATE … CASCADE empties along with a table: all that references it, and so on.
WITH RECURSIVE emptied (oid) AS (
  SELECT unnest(%(objects)s::oid[])
  UNION
  SELECT k.conrelid
    FROM emptied e JOIN pg_constraint k ON k.confrelid = e.oid AND k.contype = 'f'
)
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), NULL
  FROM emptied e
  JOIN pg_class c ON c.oid = e.oid AND NOT c.relispartition
  JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 1
