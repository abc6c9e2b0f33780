-- What every query of a snapshot starts with: the schemas that count, with their names quoted, and
-- what belongs to extensions. Each is read once a query, whatever the number of objects.
space (oid, name) AS MATERIALIZED (
  SELECT n.oid, quote_ident(n.nspname)
    FROM pg_namespace n
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND n.nspname <> ALL (%(exclude)s::text[] || ARRAY(/* schemas of archives */)::text[])
),
member (class, oid) AS MATERIALIZED (
  SELECT d.classid, d.objid FROM pg_depend d
   WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
)
