-- Where the extension's own view is (of any schema; a look-alike is none).
SELECT n.nspname, c.relname
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass
     AND d.refobjid = e.oid AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'e'
JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'v'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE e.extname = 'pg_stat_statements' AND c.relname = 'pg_stat_statements'
