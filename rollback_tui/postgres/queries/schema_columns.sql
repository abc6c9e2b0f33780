-- Columns of tables; the third value is the table, the fourth the place, the fifth the name.
-- The place is not part of the definition.
SELECT 'column ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.'
                 || quote_ident(a.attname),
       concat_ws(' ',
         format_type(a.atttypid, a.atttypmod),
         (SELECT format('collate %%I.%%I', cn.nspname, co.collname)
            FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
           WHERE co.oid = a.attcollation AND a.attcollation <> t.typcollation),
         CASE WHEN a.attnotnull THEN 'not null' END,
         CASE a.attgenerated WHEN 's' THEN 'generated stored' WHEN 'v' THEN 'generated virtual' END,
         CASE WHEN a.atthasdef THEN 'default ' || pg_get_expr(d.adbin, d.adrelid) END,
         CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
         CASE WHEN a.attstorage <> t.typstorage THEN 'storage ' || a.attstorage::text END,
         -- Unset is -1 up to 16 and null from 17 on.
         CASE WHEN coalesce(a.attstattarget, -1) >= 0 THEN 'statistics ' || a.attstattarget::text END,
         'with ' || (SELECT array_agg(o ORDER BY o)::text FROM unnest(a.attoptions) o),
         CASE WHEN NOT a.attislocal THEN 'inherited' END),
       quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attnum, a.attname
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f')
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_class'::regclass
                      AND x.objid = c.oid AND x.deptype = 'e')
