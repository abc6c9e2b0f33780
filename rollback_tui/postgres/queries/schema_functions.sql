-- Functions, procedures and aggregates, by their argument types.
SELECT CASE p.prokind WHEN 'p' THEN 'procedure ' WHEN 'a' THEN 'aggregate ' ELSE 'function ' END
       || quote_ident(n.nspname) || '.' || quote_ident(p.proname)
       || '(' || oidvectortypes(p.proargtypes) || ')',
       CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid)
       ELSE (SELECT format('returns %%s state %%s %%s initially %%s final %%s',
                           format_type(p.prorettype, NULL), a.aggtransfn::regprocedure,
                           format_type(a.aggtranstype, NULL), a.agginitval,
                           a.aggfinalfn::regproc)
               FROM pg_aggregate a WHERE a.aggfnoid = p.oid) END
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                      AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
