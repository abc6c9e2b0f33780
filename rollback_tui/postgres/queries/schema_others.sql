-- What is rare: operators, casts, collations, text search and foreign servers. That they are
-- there, under which name, and their few properties; never options, which may hold passwords.
WITH other (class, oid, definition) AS (
  SELECT 'pg_operator'::regclass, o.oid, o.oprcode::regprocedure::text FROM pg_operator o
  UNION ALL
  SELECT 'pg_cast'::regclass, c.oid, format('%%s %%s', c.castfunc::regprocedure, c.castcontext)
    FROM pg_cast c
  UNION ALL
  SELECT 'pg_collation'::regclass, c.oid, format('%%s %%s', c.collprovider, c.collisdeterministic)
    FROM pg_collation c
  UNION ALL
  SELECT 'pg_conversion'::regclass, c.oid, c.conproc::regproc::text FROM pg_conversion c
  UNION ALL
  SELECT 'pg_opclass'::regclass, c.oid, format_type(c.opcintype, NULL) FROM pg_opclass c
  UNION ALL
  SELECT 'pg_opfamily'::regclass, f.oid, '' FROM pg_opfamily f
  UNION ALL
  SELECT 'pg_ts_config'::regclass, t.oid,
         (SELECT string_agg(format('%%s %%s', m.maptokentype, m.mapdict::regdictionary), ', '
                            ORDER BY m.maptokentype, m.mapseqno)
            FROM pg_ts_config_map m WHERE m.mapcfg = t.oid)
    FROM pg_ts_config t
  UNION ALL
  SELECT 'pg_ts_dict'::regclass, t.oid, t.dictinitoption FROM pg_ts_dict t
  UNION ALL
  SELECT 'pg_foreign_data_wrapper'::regclass, w.oid, '' FROM pg_foreign_data_wrapper w
  UNION ALL
  SELECT 'pg_foreign_server'::regclass, s.oid, coalesce(s.srvtype, '') FROM pg_foreign_server s
)
SELECT i.type || ' ' || i.identity, coalesce(o.definition, '')
  FROM other o
 CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) i
 WHERE o.oid >= 16384 AND coalesce(i.schema, '') <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = o.class
                      AND x.objid = o.oid AND x.deptype = 'e')
