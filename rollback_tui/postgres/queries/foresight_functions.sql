-- Functions of some names: (schema, name, provolatile, may be inlined, fewest, most arguments;
-- most is null where there is no limit).
SELECT n.nspname, p.proname, p.provolatile::text,
       l.lanname = 'sql' AND NOT p.prosecdef AND p.proconfig IS NULL,
       p.pronargs - p.pronargdefaults - CASE WHEN p.provariadic = 0 THEN 0 ELSE 1 END,
       CASE WHEN p.provariadic = 0 THEN p.pronargs END
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
 WHERE p.proname = ANY (%(names)s::text[]) AND p.prokind = 'f'
