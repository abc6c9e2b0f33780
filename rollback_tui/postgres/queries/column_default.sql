-- The default of a column; nothing when it has none, or when the server fills it by itself. This
-- opens the table, and so waits for whoever has it locked.
SELECT pg_get_expr(f.adbin, f.adrelid)
  FROM pg_attrdef f
  JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
 WHERE f.adrelid = %(relation)s AND a.attname = %(column)s
   AND a.attgenerated = '' AND a.attidentity = ''
