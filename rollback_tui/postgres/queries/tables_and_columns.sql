-- The tables, and the columns of tables that stay, among the given objects: (table, column).
WITH gone AS (
  SELECT DISTINCT * FROM unnest(%(objects)s::oid[], %(columns)s::int[]) AS g(object, col)
)
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), quote_ident(a.attname)
  FROM gone g
  JOIN pg_class c ON c.oid = g.object AND c.relkind IN ('r', 'p', 'f')
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = g.object AND a.attnum = g.col AND g.col > 0
 WHERE (g.col = 0 OR NOT EXISTS (SELECT FROM gone w WHERE w.object = g.object AND w.col = 0))
   -- The rows of a partition are counted with the table above it, when that goes too.
   AND NOT EXISTS (SELECT FROM pg_inherits i JOIN gone w ON w.object = i.inhparent
                    WHERE i.inhrelid = g.object AND w.col = g.col AND c.relispartition)
 ORDER BY 1, 2
