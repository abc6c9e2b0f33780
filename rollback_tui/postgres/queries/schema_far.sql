-- What reaches other servers: foreign-data wrappers, foreign servers, user mappings, publications
-- and subscriptions. Options and connection strings may hold passwords: of each option its name and
-- a hash is kept, never its value. What this role may not read has no definition: it comes as null.
WITH object (class, oid, definition, owner) AS (
  SELECT 'pg_foreign_data_wrapper'::regclass, w.oid,
         concat_ws(E'\n', CASE WHEN w.fdwhandler <> 0 THEN 'handler ' || w.fdwhandler::regproc END,
           CASE WHEN w.fdwvalidator <> 0 THEN 'validator ' || w.fdwvalidator::regproc END,
           'options ' || (/* hashed w.fdwoptions */)),
         w.fdwowner
    FROM pg_foreign_data_wrapper w
  UNION ALL
  SELECT 'pg_foreign_server'::regclass, s.oid,
         concat_ws(E'\n', 'foreign-data wrapper ' || quote_ident(w.fdwname),
           'type ' || quote_literal(s.srvtype), 'version ' || quote_literal(s.srvversion),
           'options ' || (/* hashed s.srvoptions */)),
         s.srvowner
    FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
  UNION ALL
  SELECT 'pg_publication'::regclass, p.oid,
         concat_ws(E'\n', CASE WHEN p.puballtables THEN 'for all tables' END,
           'publish ' || concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END,
             CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END,
             CASE WHEN p.pubtruncate THEN 'truncate' END),
           CASE WHEN p.pubviaroot THEN 'publish_via_partition_root' END,
           CASE WHEN p.pubgencols <> 'n' THEN 'publish_generated_columns ' || p.pubgencols::text END,    -- from 18
           (SELECT string_agg('schema ' || quote_ident(n.nspname), E'\n' ORDER BY n.nspname COLLATE "C")    -- from 15
              FROM pg_publication_namespace x JOIN pg_namespace n ON n.oid = x.pnnspid                      -- from 15
             WHERE x.pnpubid = p.oid),                                                                      -- from 15
           (SELECT string_agg('table ' || r.prrelid::regclass
                     || coalesce(' (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)    -- from 15
                                            FROM pg_attribute a WHERE a.attrelid = r.prrelid                   -- from 15
                                             AND a.attnum = ANY (r.prattrs)) || ')', '')                       -- from 15
                     || coalesce(' where (' || pg_get_expr(r.prqual, r.prrelid) || ')', '')                    -- from 15
                     , E'\n' ORDER BY r.prrelid::regclass::text COLLATE "C")
              FROM pg_publication_rel r WHERE r.prpubid = p.oid)),
         p.pubowner
    FROM pg_publication p
)
SELECT v.key, v.definition
  FROM object o
 CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) i
 CROSS JOIN LATERAL (
   SELECT i.type || ' ' || i.identity, o.definition
   UNION ALL SELECT 'owner of ' || i.type || ' ' || i.identity, quote_ident(pg_get_userbyid(o.owner))) AS v (key, definition)
 WHERE o.oid >= 16384
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = o.class AND m.oid = o.oid)
UNION ALL
-- The view shows the options to whom they belong, and a superuser; and that there are none to nobody
-- else either.
SELECT 'user mapping for ' || CASE WHEN u.umuser = 0 THEN 'public' ELSE quote_ident(u.usename) END
       || ' on server ' || quote_ident(u.srvname),
       CASE WHEN u.umoptions IS NOT NULL OR s.sees THEN
         coalesce('options ' || (/* hashed u.umoptions */), '') END
  FROM pg_user_mappings u
 CROSS JOIN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS s (sees)
UNION ALL
SELECT v.key, v.definition
  FROM pg_subscription s
 CROSS JOIN LATERAL (
   SELECT 'subscription ' || quote_ident(s.subname),
    concat_ws(E'\n',
      'publication ' || (SELECT string_agg(quote_ident(x), ', ' ORDER BY x COLLATE "C")
                           FROM unnest(s.subpublications) x),
      -- Before 15 not everybody may read the others, and they are left out.
      CASE WHEN s.subbinary THEN 'binary' END,                                              -- from 15
      'streaming ' || s.substream::text,                                                    -- from 15
      'synchronous_commit ' || s.subsynccommit,                                             -- from 15
      CASE WHEN s.subtwophasestate <> 'd' THEN 'two_phase' END,                             -- from 15
      CASE WHEN s.subdisableonerr THEN 'disable_on_error' END,                              -- from 15
      CASE WHEN NOT s.subpasswordrequired THEN 'password_required false' END,               -- from 16
      CASE WHEN s.subrunasowner THEN 'run_as_owner' END,                                    -- from 16
      'origin ' || s.suborigin,                                                             -- from 16
      CASE WHEN s.subfailover THEN 'failover' END,                                          -- from 17
      'slot_name ' || coalesce(quote_literal(s.subslotname), 'none'))
   UNION ALL SELECT 'connection of subscription ' || quote_ident(s.subname),
    encode(sha256(convert_to(s.subconninfo, getdatabaseencoding())), 'hex')    -- for superusers
    NULL                                                                       -- for others
  
   UNION ALL SELECT 'owner of subscription ' || quote_ident(s.subname), quote_ident(pg_get_userbyid(s.subowner))) AS v (key, definition)
 WHERE s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
