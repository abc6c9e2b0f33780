-- Triggers, rules and row-level security policies of tables and views.
SELECT 'trigger ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.'
                  || quote_ident(g.tgname),
       concat_ws(' ', pg_get_triggerdef(g.oid),
                 CASE g.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled replica'
                                  WHEN 'A' THEN 'enabled always' END)
  FROM pg_trigger g
  JOIN pg_class c ON c.oid = g.tgrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT g.tgisinternal
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
UNION ALL
-- ALTER TABLE … DISABLE TRIGGER ALL also switches off the internal triggers of foreign keys.
SELECT 'internal triggers of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       format('%%s not enabled', count(*))
  FROM pg_trigger g
  JOIN pg_class c ON c.oid = g.tgrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE g.tgisinternal AND g.tgenabled <> 'O'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
 GROUP BY n.nspname, c.relname
UNION ALL
SELECT 'rule ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.'
               || quote_ident(r.rulename),
       concat_ws(' ', pg_get_ruledef(r.oid), CASE WHEN r.ev_enabled <> 'O' THEN r.ev_enabled::text END)
  FROM pg_rewrite r
  JOIN pg_class c ON c.oid = r.ev_class
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE r.rulename <> '_RETURN'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'policy ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.'
                 || quote_ident(p.polname),
       concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
         'for ' || p.polcmd::text,
         'to ' || (SELECT array_agg(CASE WHEN r = 0 THEN 'public' ELSE pg_get_userbyid(r) END
                                    ORDER BY 1)::text
                     FROM unnest(p.polroles) r),
         'using ' || pg_get_expr(p.polqual, p.polrelid),
         'with check ' || pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_policy p
  JOIN pg_class c ON c.oid = p.polrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
