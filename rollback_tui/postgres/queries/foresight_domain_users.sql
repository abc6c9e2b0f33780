-- Relations with rows that hold values of a domain: in a column of that type, of a domain over it,
-- of an array or a composite type with it (get_rels_with_domain in typecmds.c).
WITH RECURSIVE used (type) AS (
  SELECT %(oid)s::oid
  UNION
  SELECT CASE WHEN t.oid IS NOT NULL THEN t.oid ELSE k.reltype END
    FROM used u
    LEFT JOIN LATERAL (SELECT t.oid FROM pg_type t
                        WHERE t.typbasetype = u.type OR t.typelem = u.type) t ON true
    LEFT JOIN LATERAL (SELECT c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                        WHERE a.atttypid = u.type AND c.relkind = 'c' AND NOT a.attisdropped) k
      ON t.oid IS NULL
   WHERE t.oid IS NOT NULL OR k.reltype IS NOT NULL
)
SELECT DISTINCT a.attrelid
  FROM used u JOIN pg_attribute a ON a.atttypid = u.type AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm')
