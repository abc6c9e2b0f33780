-- Constraints of tables and domains, with what their index has beyond the server's own words. What
-- is plain about a primary key or unique constraint is written down here as pg_get_constraintdef
-- does (a test compares the two), several times as fast: up to its columns, then their numbers, and
-- what comes after them. NOT NULL constraints of tables (18) come with the columns; that of a domain
-- counts where somebody gave it a name.
-- To write down the expression of a CHECK the server opens its table, and in a session that has not
-- seen the table yet that takes longer than all else. So a plain one comes with a hash of its
-- parse tree (without positions in the text from 17 on) instead of its text: where the hash and the
-- names of the columns in it are the same, so is the text, and one of them is asked for.
SELECT 'constraint ' || n.name || '.' || quote_ident(coalesce(c.relname, t.typname))
                     || '.' || quote_ident(k.conname),
       CASE WHEN NOT p.plain THEN '' ELSE
         CASE k.contype WHEN 'p' THEN 'PRIMARY KEY (' WHEN 'u' THEN 'UNIQUE (' ELSE 'CHECK (' END END,
       CASE WHEN p.plain THEN k.conrelid END,
       CASE WHEN p.plain THEN k.conkey END,
       concat_ws(E'\n-- ',
         CASE WHEN p.plain THEN ')' ELSE pg_get_constraintdef(k.oid) END,
         CASE WHEN NOT k.conislocal THEN 'inherited' END,
         CASE WHEN i.reloptions IS NOT NULL THEN
           'with (' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C")
                          FROM unnest(i.reloptions) o) || ')' END,
         'tablespace ' || quote_ident(s.spcname),
         CASE WHEN x.indisclustered THEN 'clustered' END,
         CASE WHEN NOT x.indisvalid THEN 'invalid' END,
         'index partition of ' || h.inhparent::regclass::text),
       CASE WHEN p.plain AND k.contype = 'c' THEN
         encode(sha256(convert_to(k.conbin::text, getdatabaseencoding())), 'hex') END,
       k.oid
  FROM (SELECT * FROM pg_constraint k
         WHERE k.contype <> 't' AND (k.contype <> 'n' OR k.contypid <> 0)) AS k
  JOIN space n ON n.oid = k.connamespace
  LEFT JOIN (SELECT c.oid, c.relname, c.relpersistence FROM pg_class c
              WHERE c.relkind IN ('r', 'p', 'f')) AS c ON c.oid = k.conrelid
  LEFT JOIN (SELECT t.oid, t.typname FROM pg_type t
              WHERE t.typtype = 'd') AS t ON t.oid = k.contypid
  LEFT JOIN (SELECT x.indexrelid, x.indisclustered, x.indisvalid,
                    x.indnatts = x.indnkeyatts AND x.indimmediate AND NOT x.indisexclusion
                    AND NOT x.indnullsnotdistinct    -- from 15
                    AS plain
               FROM pg_index x WHERE x.indisunique OR x.indisexclusion) AS x
         ON x.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
 CROSS JOIN LATERAL (SELECT CASE
           -- A reference to the whole row has the number 0, and is written with the table's name.
           WHEN k.contype = 'c' AND k.conrelid <> 0
             THEN k.convalidated AND NOT k.connoinherit AND coalesce(0 < ALL (k.conkey), false)
                  AND k.conenforced    -- from 18
           ELSE coalesce(x.plain, false)
                  AND NOT k.conperiod    -- from 18
           END) AS p (plain)
  LEFT JOIN (SELECT i.oid, i.reloptions, i.reltablespace FROM pg_class i
              WHERE i.reloptions IS NOT NULL OR i.reltablespace <> 0) AS i ON i.oid = x.indexrelid
  LEFT JOIN pg_tablespace s ON s.oid = i.reltablespace
  LEFT JOIN pg_inherits h ON h.inhrelid = x.indexrelid
 WHERE coalesce(c.oid, t.oid) IS NOT NULL
   AND c.relpersistence IS DISTINCT FROM 't'
   AND (k.contype <> 'n' OR k.conname <> t.typname || '_not_null')    -- from 18
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass AND m.oid = k.conrelid)
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_type'::regclass AND m.oid = k.contypid)
