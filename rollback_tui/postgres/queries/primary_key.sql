-- The columns of a relation's primary key, in its order; of the index called `index`, when given.
SELECT a.attname
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
  CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, place)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 WHERE i.indrelid = %(relation)s AND k.place <= i.indnkeyatts
   AND CASE WHEN %(index)s::text = '' THEN i.indisprimary ELSE c.relname = %(index)s END
 ORDER BY k.place
