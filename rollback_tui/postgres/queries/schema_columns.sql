-- Columns: one row a table, with three objects: its columns in order, the grants on them, and what
-- NOT NULL constraints (18) are not simply there: named by somebody, not valid, inherited …
-- Of a view only the columns with a default, of a materialised view only those with a property of
-- their own. Where no column of the row can be meant, an expression is written without a look at
-- its table, which is quicker.
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
  SELECT a.attrelid AS oid,
         json_object_agg(quote_ident(a.attname),
           CASE WHEN c.relkind IN ('v', 'm') THEN '' ELSE
             format_type(a.atttypid, a.atttypmod)
             || CASE WHEN a.attcollation = t.typcollation THEN '' ELSE coalesce(
                  (SELECT E'\ncollate ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
                     FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
                    WHERE co.oid = a.attcollation), '') END
             || CASE WHEN a.attnotnull THEN E'\nnot null' ELSE '' END
             || CASE a.attidentity WHEN 'a' THEN E'\nidentity always'
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
           ORDER BY a.attnum) AS columns,
         json_object_agg(quote_ident(a.attname),
           (SELECT string_agg(/* entry c.relowner */, E'\n'
                              ORDER BY pg_get_userbyid(g.grantee) COLLATE "C", g.privilege_type)
              FROM aclexplode(a.attacl) g))
         FILTER (WHERE a.attacl <> '{}') AS grants
         , string_agg(a.attname::text, '/' ORDER BY a.attnum) FILTER (WHERE a.attnotnull) AS required    -- from 18
    FROM wanted c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE (c.relkind IN ('r', 'p', 'f')
          OR c.relkind = 'v' AND d.oid IS NOT NULL
          OR c.relkind = 'm' AND (a.attstorage <> t.typstorage OR a.attstattarget >= 0
                                  OR a.attcompression <> ''    -- from 14
                                  OR a.attoptions IS NOT NULL)
          OR c.relkind IN ('v', 'm') AND a.attacl IS NOT NULL)
   GROUP BY a.attrelid
)
-- The names that the server gives these constraints say which columns they are of: one comparison a   -- from 18
-- table tells whether all of them are plain.                                                          -- from 18
, required AS (                                                                       -- from 18
  SELECT k.conrelid AS oid,                                                           -- from 18
         string_agg(CASE WHEN starts_with(k.conname::text, w.relname || '_')          -- from 18
                              AND right(k.conname::text, 9) = '_not_null'             -- from 18
                         THEN substr(k.conname::text, length(w.relname::text) + 2,    -- from 18
                                     greatest(0, length(k.conname::text)              -- from 18
                                                 - length(w.relname::text) - 10))     -- from 18
                         ELSE '/' END, '/' ORDER BY k.conkey[1]) AS required,         -- from 18
         bool_or(NOT k.convalidated OR k.connoinherit                                 -- from 18
                 OR NOT k.conislocal AND NOT w.relispartition) AS odd                 -- from 18
    FROM pg_constraint k JOIN wanted w ON w.oid = k.conrelid                          -- from 18
   WHERE k.contype = 'n'                                                              -- from 18
   GROUP BY k.conrelid                                                                -- from 18
)                                                                                     -- from 18
SELECT c.name,
       json_build_array(l.columns, l.grants
         , CASE WHEN r.odd OR r.required IS DISTINCT FROM l.required THEN             -- from 18
             (SELECT json_object_agg(quote_ident(k.conname), pg_get_constraintdef(k.oid)        -- from 18
                       || CASE WHEN k.conislocal THEN '' ELSE E'\n-- inherited' END)            -- from 18
                FROM pg_constraint k                                                  -- from 18
                JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]       -- from 18
               WHERE k.conrelid = c.oid AND k.contype = 'n'                           -- from 18
                 AND (NOT k.convalidated OR k.connoinherit                            -- from 18
                      OR NOT k.conislocal AND NOT c.relispartition                    -- from 18
                      OR k.conname <> c.relname || '_' || a.attname || '_not_null')) END    -- from 18
       )
  FROM listed l
  JOIN wanted c ON c.oid = l.oid
  LEFT JOIN required r ON r.oid = c.oid    -- from 18
