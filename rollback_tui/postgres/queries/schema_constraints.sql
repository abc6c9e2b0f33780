-- Constraints of tables and domains, with what their index has beyond the server's own words. What
-- is plain about a primary key or unique constraint is written down here as pg_get_constraintdef
-- does (a test compares the two), several times as fast. NOT NULL constraints of tables (18) come
-- with the columns; that of a domain counts where somebody gave it a name.
SELECT 'constraint ' || n.name || '.' || quote_ident(coalesce(c.relname, t.typname))
                     || '.' || quote_ident(k.conname),
       concat_ws(E'\n-- ',
         CASE WHEN x.plain
                   AND NOT k.conperiod    -- from 18
              THEN CASE k.contype WHEN 'p' THEN 'PRIMARY KEY (' ELSE 'UNIQUE (' END
                   || CASE WHEN k.conkey[2] IS NULL THEN
                        (SELECT quote_ident(a.attname) FROM pg_attribute a
                          WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1])
                      ELSE
                        (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY o.place)
                           FROM unnest(k.conkey) WITH ORDINALITY AS o (number, place)
                           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.number)
                      END || ')'
              ELSE pg_get_constraintdef(k.oid) END,
         CASE WHEN NOT k.conislocal THEN 'inherited' END,
         CASE WHEN x.reloptions IS NOT NULL THEN
           'with (' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C")
                          FROM unnest(x.reloptions) o) || ')' END,
         'tablespace ' || quote_ident(s.spcname),
         CASE WHEN x.indisclustered THEN 'clustered' END,
         CASE WHEN NOT x.indisvalid THEN 'invalid' END,
         'index partition of ' || h.inhparent::regclass::text)
  FROM (SELECT * FROM pg_constraint k
         WHERE k.contype <> 't' AND (k.contype <> 'n' OR k.contypid <> 0)) AS k
  JOIN space n ON n.oid = k.connamespace
  LEFT JOIN (SELECT c.oid, c.relname, c.relpersistence FROM pg_class c
              WHERE c.relkind IN ('r', 'p', 'f')) AS c ON c.oid = k.conrelid
  LEFT JOIN pg_type t ON t.oid = k.contypid AND k.contypid <> 0
  LEFT JOIN (SELECT x.indexrelid, x.indisclustered, x.indisvalid, i.reloptions, i.reltablespace,
                    x.indnatts = x.indnkeyatts AND x.indimmediate AND NOT x.indisexclusion
                    AND NOT x.indnullsnotdistinct    -- from 15
                    AS plain
               FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
              WHERE i.relkind IN ('i', 'I') AND (x.indisunique OR x.indisexclusion)) AS x
         ON x.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
  LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace
  LEFT JOIN pg_inherits h ON h.inhrelid = x.indexrelid
 WHERE coalesce(c.oid, t.oid) IS NOT NULL
   AND c.relpersistence IS DISTINCT FROM 't'
   AND (k.contype <> 'n' OR k.conname <> t.typname || '_not_null')    -- from 18
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass AND m.oid = k.conrelid)
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_type'::regclass AND m.oid = k.contypid)
