-- Schemas, extensions (with version), event triggers, languages and publications.
-- Subscriptions and user mappings are left out: their options hold passwords.
SELECT 'schema ' || quote_ident(n.nspname), ''
  FROM pg_namespace n
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass
                      AND d.objid = n.oid AND d.deptype = 'e')
UNION ALL
SELECT 'extension ' || quote_ident(e.extname),
       format('version %%s schema %%I', e.extversion, n.nspname)
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
UNION ALL
SELECT 'event trigger ' || quote_ident(t.evtname),
       format('on %%s tags %%s function %%s enabled %%s', t.evtevent, t.evttags,
              t.evtfoid::regprocedure, t.evtenabled)
  FROM pg_event_trigger t
 WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass
                      AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT 'publication ' || quote_ident(p.pubname),
       format('all tables %%s insert %%s update %%s delete %%s truncate %%s root %%s tables %%s',
              p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot,
              (SELECT array_agg(r.prrelid::regclass::text ORDER BY r.prrelid::regclass::text)
                 FROM pg_publication_rel r WHERE r.prpubid = p.oid))
  FROM pg_publication p
