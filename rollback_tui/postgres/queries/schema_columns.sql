-- Columns: one row a table, with three objects: its columns in order, the grants on them, and what
-- NOT NULL constraints (18) are not simply there: named by somebody, not valid, not inherited …
-- Of a view only the columns with a default, of a materialised view only those with a property of
-- their own. Where no column of the row can be meant, an expression is written without a look at
-- its table, which is quicker.
WITH required (oid, conrelid, attnum, conname, conislocal, odd) AS MATERIALIZED (    -- from 18
  SELECT k.oid, k.conrelid, k.conkey[1], k.conname, k.conislocal,                    -- from 18
         NOT k.convalidated OR k.connoinherit                                        -- from 18
    FROM pg_constraint k WHERE k.contype = 'n' AND k.conrelid <> 0                   -- from 18
)                                                                                    -- from 18
SELECT n.name || '.' || quote_ident(c.relname),
       json_build_array(json_object_agg(quote_ident(a.attname),
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
         ORDER BY a.attnum)
       , json_object_agg(quote_ident(a.attname),
           (SELECT string_agg(/* entry c.relowner */, E'\n'
                              ORDER BY pg_get_userbyid(g.grantee) COLLATE "C", g.privilege_type)
              FROM aclexplode(a.attacl) g))
         FILTER (WHERE a.attacl <> '{}')
       , json_object_agg(quote_ident(k.conname),                                                  -- from 18
           pg_get_constraintdef(k.oid) || CASE WHEN k.conislocal THEN '' ELSE E'\n-- inherited' END)    -- from 18
         FILTER (WHERE k.odd OR NOT k.conislocal AND NOT c.relispartition                         -- from 18
                    OR k.conname <> c.relname || '_' || a.attname || '_not_null')                 -- from 18
       )
  FROM pg_class c
  JOIN space n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN required k ON k.conrelid = a.attrelid AND k.attnum = a.attnum    -- from 18
 WHERE c.relpersistence <> 't'
   AND (c.relkind IN ('r', 'p', 'f')
        OR c.relkind = 'v' AND d.oid IS NOT NULL
        OR c.relkind = 'm' AND (a.attstorage <> t.typstorage OR a.attstattarget >= 0
                                OR a.attcompression <> ''    -- from 14
                                OR a.attoptions IS NOT NULL)
        OR c.relkind IN ('v', 'm') AND a.attacl IS NOT NULL)
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass AND m.oid = c.oid)
 GROUP BY c.oid, n.name, c.relname
