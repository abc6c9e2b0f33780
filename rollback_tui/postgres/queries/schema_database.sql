-- What is in no schema: schemas, extensions (pg_dump prints no version), languages, access methods,
-- transforms, casts and event triggers. User objects have an OID of 16384 or more; initdb makes
-- schema public, with a lower one, and it belongs to a user all the same.
WITH object (class, oid, definition, owner) AS (
  SELECT 'pg_namespace'::regclass, n.oid, '', n.nspowner
    FROM pg_namespace n JOIN space s ON s.oid = n.oid
  UNION ALL
  SELECT 'pg_extension'::regclass, e.oid, 'schema ' || quote_ident(n.nspname), NULL
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
  UNION ALL
  SELECT 'pg_language'::regclass, l.oid,
         concat_ws(E'\n', CASE WHEN l.lanpltrusted THEN 'trusted' END,
                   CASE WHEN l.lanplcallfoid <> 0 THEN 'handler ' || l.lanplcallfoid::regproc END,
                   CASE WHEN l.laninline <> 0 THEN 'inline ' || l.laninline::regproc END,
                   CASE WHEN l.lanvalidator <> 0 THEN 'validator ' || l.lanvalidator::regproc END),
         l.lanowner
    FROM pg_language l
  UNION ALL
  SELECT 'pg_am'::regclass, a.oid,
         CASE a.amtype WHEN 'i' THEN 'type index' ELSE 'type table' END
         || E'\nhandler ' || a.amhandler, NULL
    FROM pg_am a
  UNION ALL
  SELECT 'pg_transform'::regclass, t.oid,
         concat_ws(E'\n',
           CASE WHEN t.trffromsql <> 0 THEN 'from sql with function ' || t.trffromsql::oid::regprocedure END,
           CASE WHEN t.trftosql <> 0 THEN 'to sql with function ' || t.trftosql::oid::regprocedure END),
         NULL
    FROM pg_transform t
  UNION ALL
  SELECT 'pg_cast'::regclass, c.oid,
         CASE c.castmethod WHEN 'f' THEN 'with function ' || c.castfunc::regprocedure
                           WHEN 'i' THEN 'with inout' ELSE 'without function' END
         || CASE c.castcontext WHEN 'a' THEN E'\nas assignment'
                               WHEN 'i' THEN E'\nas implicit' ELSE '' END,
         NULL
    FROM pg_cast c
  UNION ALL
  SELECT 'pg_event_trigger'::regclass, t.oid,
         concat_ws(E'\n', 'on ' || t.evtevent,
           CASE WHEN t.evttags IS NOT NULL THEN
             'when tag in (' || (SELECT string_agg(quote_literal(x), ', ' ORDER BY x COLLATE "C")
                                   FROM unnest(t.evttags) x) || ')' END,
           'execute function ' || t.evtfoid::regproc || '()',
           CASE t.evtenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled replica'
                             WHEN 'A' THEN 'enabled always' END),
         t.evtowner
    FROM pg_event_trigger t
)
SELECT v.key, v.definition
  FROM object o
 CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) i
 CROSS JOIN LATERAL (
   SELECT i.type || ' ' || i.identity, o.definition
   UNION ALL SELECT 'owner of ' || i.type || ' ' || i.identity, quote_ident(pg_get_userbyid(o.owner))) AS v (key, definition)
 WHERE (o.oid >= 16384 OR o.class = 'pg_namespace'::regclass) AND v.definition IS NOT NULL
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = o.class AND m.oid = o.oid)
