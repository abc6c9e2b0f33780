-- What a statement may set off without saying so: the functions of users, by their plain names, and
-- the tables of other servers with what they are partitions or heirs of and all views on them.
-- "How": what a function hangs on, if anything.
-- A body that the server keeps parsed (BEGIN ATOMIC, 14+) has no source text of its own.
WITH RECURSIVE away (oid) AS (
  SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'f'
  UNION
  SELECT up.oid FROM away, LATERAL (
    SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = away.oid
    UNION ALL
    SELECT w.ev_class
      FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
     WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = away.oid
       AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  ) up (oid)
)
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
SELECT c.relname::text, '',
       CASE WHEN c.relkind = 'f' THEN 'it is a table of another server'
            ELSE 'it shows a table of another server' END, ''
  FROM away JOIN pg_catalog.pg_class c ON c.oid = away.oid
