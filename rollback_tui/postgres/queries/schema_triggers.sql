-- Triggers, rules and row-level security policies of tables and views. (pg_dump prints policies of
-- an extension's tables too.)
SELECT 'trigger ' || n.name || '.' || quote_ident(c.relname) || '.' || quote_ident(g.tgname),
       concat_ws(E'\n-- ', pg_get_triggerdef(g.oid),
                 CASE g.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled replica'
                                  WHEN 'A' THEN 'enabled always' END)
  FROM pg_trigger g
  JOIN pg_class c ON c.oid = g.tgrelid
  JOIN space n ON n.oid = c.relnamespace
 WHERE NOT g.tgisinternal AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass AND m.oid = c.oid)
UNION ALL
-- ALTER TABLE … DISABLE TRIGGER ALL also switches off the internal triggers of foreign keys, which
-- pg_dump does not print.
SELECT 'internal triggers of ' || n.name || '.' || quote_ident(c.relname),
       count(*) || ' not enabled'
  FROM pg_trigger g
  JOIN pg_class c ON c.oid = g.tgrelid
  JOIN space n ON n.oid = c.relnamespace
 WHERE g.tgisinternal AND g.tgenabled <> 'O' AND c.relpersistence <> 't'
 GROUP BY n.name, c.relname
UNION ALL
SELECT 'rule ' || n.name || '.' || quote_ident(c.relname) || '.' || quote_ident(r.rulename),
       concat_ws(E'\n-- ', pg_get_ruledef(r.oid),
                 CASE r.ev_enabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled replica'
                                   WHEN 'A' THEN 'enabled always' END)
  FROM pg_rewrite r
  JOIN pg_class c ON c.oid = r.ev_class
  JOIN space n ON n.oid = c.relnamespace
 WHERE r.rulename <> '_RETURN' AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = 'pg_class'::regclass AND m.oid = c.oid)
UNION ALL
SELECT 'policy ' || n.name || '.' || quote_ident(c.relname) || '.' || quote_ident(p.polname),
       concat_ws(E'\n', CASE WHEN p.polpermissive THEN 'as permissive' ELSE 'as restrictive' END,
         'for ' || CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update'
                                 WHEN 'd' THEN 'delete' ELSE 'all' END,
         'to ' || (SELECT string_agg(CASE WHEN r = 0 THEN 'public'
                                          ELSE quote_ident(pg_get_userbyid(r)) END, ', '
                                     ORDER BY pg_get_userbyid(r))
                     FROM unnest(p.polroles) r),
         'using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
         'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
  FROM pg_policy p
  JOIN pg_class c ON c.oid = p.polrelid
  JOIN space n ON n.oid = c.relnamespace
 WHERE c.relpersistence <> 't'
