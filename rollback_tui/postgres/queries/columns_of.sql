-- The columns of a relation, and their types down to what a domain is made of.
WITH RECURSIVE base (attnum, oid, typmod, depth) AS (
  SELECT a.attnum, a.atttypid, a.atttypmod, 0
    FROM pg_attribute a WHERE a.attrelid = %(relation)s AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT b.attnum, t.typbasetype, t.typtypmod, b.depth + 1
    FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd'
), deepest AS (
  SELECT DISTINCT ON (attnum) attnum, oid, typmod FROM base ORDER BY attnum, depth DESC
)
SELECT a.attname, quote_ident(a.attname), a.attnotnull,
       d.oid, d.typmod, t.typname, t.typtype::text, t.typcategory::text,
       format_type(d.oid, d.typmod), format_type(a.atttypid, a.atttypmod)
  FROM deepest d
  JOIN pg_attribute a ON a.attrelid = %(relation)s AND a.attnum = d.attnum
  JOIN pg_type t ON t.oid = d.oid
 ORDER BY a.attnum
