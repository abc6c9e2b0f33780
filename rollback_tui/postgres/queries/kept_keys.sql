-- What tells the rows of a table apart: the columns of each unique index that covers every row,
-- the primary key first, then the one with the fewest columns. With an empty search_path.
SELECT ARRAY(SELECT quote_ident(a.attname)
               FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(num, place)
               JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.num
              WHERE k.place <= x.indnkeyatts ORDER BY k.place) AS columns
  FROM pg_index x
 WHERE x.indrelid = %(oid)s AND x.indisunique AND x.indisvalid AND x.indislive
   AND x.indpred IS NULL AND x.indexprs IS NULL
   AND NOT EXISTS (SELECT FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(num, place)
                     JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.num
                    WHERE k.place <= x.indnkeyatts AND NOT a.attnotnull)
 ORDER BY x.indisprimary DESC, x.indnkeyatts, x.indexrelid
