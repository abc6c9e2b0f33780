-- Columns by which tables are partitioned: (table, column); null for an expression.
SELECT p.partrelid, a.attname
  FROM pg_partitioned_table p
  CROSS JOIN LATERAL unnest(p.partattrs::int2[]) AS k(number)
  LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.number
