-- Tables, partitioned and foreign tables, views, materialised views and sequences.
SELECT CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialised view '
                      WHEN 'S' THEN 'sequence ' ELSE 'table ' END
       || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       concat_ws(' ',
         CASE c.relkind WHEN 'p' THEN 'partitioned' WHEN 'f' THEN 'foreign' END,
         CASE c.relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' END,
         CASE WHEN c.relkind = 'p' THEN 'partition by ' || pg_get_partkeydef(c.oid) END,
         CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,
         'inherits ' || (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
                           FROM pg_inherits i WHERE i.inhrelid = c.oid),
         CASE WHEN c.reloftype <> 0 THEN 'of ' || format_type(c.reloftype, NULL) END,
         CASE WHEN c.relrowsecurity THEN 'row security enabled' END,
         CASE WHEN c.relforcerowsecurity THEN 'row security forced' END,
         CASE WHEN c.relkind NOT IN ('r', 'p') THEN NULL
              WHEN c.relreplident = 'n' THEN 'replica identity nothing'
              WHEN c.relreplident = 'f' THEN 'replica identity full'
              WHEN c.relreplident = 'i' THEN 'replica identity index' END,
         'tablespace ' || (SELECT quote_ident(t.spcname) FROM pg_tablespace t
                            WHERE t.oid = c.reltablespace),
         'access method ' || (SELECT quote_ident(a.amname) FROM pg_am a
                               WHERE a.oid = c.relam AND a.amname <> 'heap'),
         'with ' || (SELECT array_agg(o ORDER BY o)::text FROM unnest(c.reloptions) o),
         'toast with ' || (SELECT (SELECT array_agg(o ORDER BY o)::text FROM unnest(x.reloptions) o)
                             FROM pg_class x WHERE x.oid = c.reltoastrelid),
         (SELECT format('server %%I options %%s', s.srvname, f.ftoptions)
            FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver
           WHERE f.ftrelid = c.oid),
         CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'not populated' END,
         CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
         (SELECT format('%%s start %%s increment %%s from %%s to %%s cache %%s%%s',
                        format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin,
                        s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN ' cycle' END)
            FROM pg_sequence s WHERE s.seqrelid = c.oid),
         CASE WHEN c.relkind = 'S' THEN
           (SELECT format('owned by %%s.%%I', d.refobjid::regclass, a.attname)
              FROM pg_depend d
              JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
               AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
             LIMIT 1) END)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
