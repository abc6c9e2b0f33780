-- Indexes that no constraint owns, and extended statistics.
SELECT 'index ' || quote_ident(n.nspname) || '.' || quote_ident(i.relname),
       concat_ws(' ', pg_get_indexdef(x.indexrelid),
                 CASE WHEN NOT x.indisvalid THEN 'INVALID' END,
                 CASE WHEN x.indisclustered THEN 'clustered' END,
                 CASE WHEN x.indisreplident THEN 'replica identity' END,
                 'tablespace ' || (SELECT quote_ident(s.spcname) FROM pg_tablespace s
                                    WHERE s.oid = i.reltablespace))
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_class c ON c.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT EXISTS (SELECT FROM pg_constraint k
                    WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')
                      AND x.indisvalid AND NOT x.indisclustered AND NOT x.indisreplident)
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'statistics ' || quote_ident(n.nspname) || '.' || quote_ident(s.stxname),
       pg_get_statisticsobjdef(s.oid)
  FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
