-- Columns of tables; of a view only those with a default, of a materialised view only those with a
-- property of their own. One row, because it is made, sent and read several times as fast: what
-- the tables are called, and then one array a field, in no order: table, number, name, definition.
-- Last what few columns have: the grants on them, and a NOT NULL constraint (18) that is not simply
-- there: named by somebody, not valid, inherited … Where no column of the row can be meant, an
-- expression is written without a look at its table, which is quicker.
WITH wanted AS MATERIALIZED (
  SELECT c.oid, n.name || '.' || quote_ident(c.relname) AS name, c.relname, c.relkind, c.relowner,
         c.relispartition
    FROM pg_class c
    JOIN space n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't'
     AND NOT EXISTS (SELECT FROM member m
                      WHERE m.class = 'pg_class'::regclass AND m.oid = c.oid)
),
listed AS (
  SELECT a.attrelid AS oid, a.attnum AS number, quote_ident(a.attname) AS name,
         CASE WHEN c.relkind IN ('r', 'p', 'f') THEN
                format_type(a.atttypid, a.atttypmod)
                || CASE WHEN a.attcollation = t.typcollation THEN '' ELSE coalesce(
                     (SELECT E'\ncollate ' || quote_ident(cn.nspname) || '.'
                             || quote_ident(co.collname)
                        FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
                       WHERE co.oid = a.attcollation), '') END
                || CASE WHEN a.attnotnull THEN E'\nnot null' ELSE '' END
              ELSE '' END
         -- Most columns have nothing more to say, and to put nothing together takes its time.
         || CASE WHEN a.attislocal AND a.attidentity = '' AND a.attstorage = t.typstorage
                      AND a.attoptions IS NULL AND a.attfdwoptions IS NULL AND d.oid IS NULL
                      AND a.attcompression = ''    -- from 14
                      AND coalesce(a.attstattarget, -1) < 0
                 THEN '' ELSE
              CASE WHEN c.relkind IN ('v', 'm') THEN '' ELSE
                CASE a.attidentity WHEN 'a' THEN E'\nidentity always'
                                   WHEN 'd' THEN E'\nidentity by default' ELSE '' END
                || CASE WHEN a.attislocal OR c.relispartition THEN '' ELSE E'\ninherited' END END
              || CASE WHEN a.attstorage = t.typstorage THEN '' ELSE
                   E'\nstorage ' || CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external'
                                                      WHEN 'm' THEN 'main' ELSE 'extended' END END
              || CASE a.attcompression WHEN 'p' THEN E'\ncompression pglz'               -- from 14
                                       WHEN 'l' THEN E'\ncompression lz4' ELSE '' END    -- from 14
              -- Unset is -1 up to 16 and null from 17 on.
              || CASE WHEN a.attstattarget >= 0 THEN E'\nstatistics ' || a.attstattarget ELSE '' END
              || CASE WHEN a.attoptions IS NULL THEN '' ELSE
                   E'\nwith (' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C")
                                     FROM unnest(a.attoptions) o) || ')' END
              || CASE WHEN a.attfdwoptions IS NULL THEN '' ELSE
                   E'\noptions ' || (/* hashed a.attfdwoptions */) END
              || CASE WHEN d.oid IS NULL THEN ''
                      WHEN a.attgenerated = '' THEN E'\ndefault ' || pg_get_expr(d.adbin, 0)
                      ELSE E'\ngenerated always as (' || pg_get_expr(d.adbin, d.adrelid) || ') '
                           || CASE a.attgenerated WHEN 's' THEN 'stored' ELSE 'virtual' END END
              END AS definition,
         c.relowner, a.attacl
         , CASE WHEN NOT k.convalidated OR k.connoinherit                                  -- from 18
                     OR NOT k.conislocal AND NOT c.relispartition                          -- from 18
                     OR k.conname <> c.relname || '_' || a.attname || '_not_null'          -- from 18
                THEN k.oid END AS required                                                 -- from 18
    FROM pg_attribute a
    JOIN wanted c ON c.oid = a.attrelid
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN (SELECT * FROM pg_constraint k WHERE k.contype = 'n') AS k                   -- from 18
           ON k.conrelid = a.attrelid AND k.conkey[1] = a.attnum                           -- from 18
   WHERE a.attnum > 0 AND NOT a.attisdropped
     AND (c.relkind IN ('r', 'p', 'f')
          OR c.relkind = 'v' AND d.oid IS NOT NULL
          OR c.relkind = 'm' AND (a.attstorage <> t.typstorage OR a.attstattarget >= 0
                                  OR a.attcompression <> ''    -- from 14
                                  OR a.attoptions IS NOT NULL)
          OR c.relkind IN ('v', 'm') AND a.attacl IS NOT NULL)
)
SELECT (SELECT json_object_agg(c.oid, c.name)::text FROM wanted c),
       json_agg(l.oid::bigint)::text, json_agg(l.number)::text, json_agg(l.name)::text,
       json_agg(l.definition)::text,
       json_agg(json_build_array(l.oid::bigint, l.name,
         (SELECT string_agg(/* entry l.relowner */, E'\n'
                            ORDER BY pg_get_userbyid(g.grantee) COLLATE "C", g.privilege_type)
            FROM aclexplode(l.attacl) g)
         , (SELECT json_build_array(quote_ident(k.conname), pg_get_constraintdef(k.oid)        -- from 18
                     || CASE WHEN k.conislocal THEN '' ELSE E'\n-- inherited' END)             -- from 18
              FROM pg_constraint k WHERE k.oid = l.required)                                   -- from 18
       )) FILTER (WHERE l.attacl <> '{}'
                        OR l.required IS NOT NULL    -- from 18
       )::text
  FROM listed l
