-- Functions, procedures and aggregates, by their argument types, with their owners. Those that come
-- with a range type depend on it internally.
SELECT v.key, v.definition
  FROM pg_proc p
  JOIN space n ON n.oid = p.pronamespace
 CROSS JOIN LATERAL (SELECT
   CASE p.prokind WHEN 'p' THEN 'procedure ' WHEN 'a' THEN 'aggregate ' ELSE 'function ' END
   || n.name || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')'
   ) AS k (key)
 CROSS JOIN LATERAL (
   SELECT k.key,
    CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE
      (SELECT concat_ws(E'\n',
         'arguments ' || pg_get_function_arguments(p.oid),
         'returns ' || format_type(p.prorettype, NULL),
         CASE a.aggkind WHEN 'o' THEN 'ordered-set' WHEN 'h' THEN 'hypothetical' END,
         'sfunc ' || a.aggtransfn::regproc, 'stype ' || format_type(a.aggtranstype, NULL),
         CASE WHEN a.aggtransspace <> 0 THEN 'sspace ' || a.aggtransspace END,
         CASE WHEN a.aggfinalfn <> 0 THEN 'finalfunc ' || a.aggfinalfn::regproc END,
         CASE WHEN a.aggfinalextra THEN 'finalfunc_extra' END,
         'finalfunc_modify ' || a.aggfinalmodify::text,
         CASE WHEN a.aggcombinefn <> 0 THEN 'combinefunc ' || a.aggcombinefn::regproc END,
         CASE WHEN a.aggserialfn <> 0 THEN 'serialfunc ' || a.aggserialfn::regproc END,
         CASE WHEN a.aggdeserialfn <> 0 THEN 'deserialfunc ' || a.aggdeserialfn::regproc END,
         'initcond ' || a.agginitval,
         CASE WHEN a.aggmtransfn <> 0 THEN 'msfunc ' || a.aggmtransfn::regproc END,
         CASE WHEN a.aggminvtransfn <> 0 THEN 'minvfunc ' || a.aggminvtransfn::regproc END,
         CASE WHEN a.aggmtranstype <> 0 THEN 'mstype ' || format_type(a.aggmtranstype, NULL) END,
         CASE WHEN a.aggmtransspace <> 0 THEN 'msspace ' || a.aggmtransspace END,
         CASE WHEN a.aggmfinalfn <> 0 THEN 'mfinalfunc ' || a.aggmfinalfn::regproc END,
         CASE WHEN a.aggmfinalextra THEN 'mfinalfunc_extra' END,
         CASE WHEN a.aggmtransfn <> 0 THEN 'mfinalfunc_modify ' || a.aggmfinalmodify::text END,
         'minitcond ' || a.aggminitval,
         CASE WHEN a.aggsortop <> 0 THEN 'sortop ' || a.aggsortop::regoperator END,
         CASE p.proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' END)
         FROM pg_aggregate a WHERE a.aggfnoid = p.oid) END
   UNION ALL SELECT 'owner of ' || k.key, quote_ident(pg_get_userbyid(p.proowner))) AS v (key, definition)
 WHERE NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_proc'::regclass AND m.oid = p.oid)
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                      AND d.objid = p.oid AND d.deptype = 'i')
