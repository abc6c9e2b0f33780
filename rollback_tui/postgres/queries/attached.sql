-- What a statement may set off without saying so: the functions of users, by their plain names, and
-- the tables of other servers with the views on them. "How": what a function hangs on, if anything.
-- A body that the server keeps parsed (BEGIN ATOMIC, 14+) has no source text of its own.
SELECT p.proname::text,
       CASE WHEN p.prosrc = '' AND p.prokind IN ('f', 'p')
            THEN pg_catalog.pg_get_functiondef(p.oid) ELSE p.prosrc END,
       CASE WHEN l.lanpltrusted OR l.lanname IN ('sql', 'c', 'internal') THEN ''
            ELSE 'it is written in ' || l.lanname || ', which may do anything on the machine' END,
       CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_event_trigger e
                          WHERE e.evtfoid = p.oid AND e.evtenabled <> 'D') THEN 'event'
            WHEN EXISTS (SELECT FROM pg_catalog.pg_depend d
                          WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                            AND d.refobjid = p.oid AND d.deptype IN ('n', 'a', 'i')) THEN 'table'
            ELSE '' END
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
UNION ALL
SELECT c.relname::text, '', 'it is a table of another server', ''
  FROM pg_catalog.pg_class c WHERE c.relkind = 'f'
UNION ALL
SELECT DISTINCT v.relname::text, '', 'it shows a table of another server', ''
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_class f ON f.oid = d.refobjid AND f.relkind = 'f'
  JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
  JOIN pg_catalog.pg_class v ON v.oid = w.ev_class
 WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
