-- Relations, types and functions of a schema that their bare names do not lead to in this session,
-- because the schema is not in its search_path, or another one there comes first.
SELECT c.relname::text
  FROM pg_class c
 WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s)
   AND NOT pg_table_is_visible(c.oid)
UNION
SELECT t.typname
  FROM pg_type t
 WHERE t.typnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s)
   AND t.typrelid = 0 AND t.typelem = 0 AND NOT pg_type_is_visible(t.oid)
UNION
SELECT p.proname
  FROM pg_proc p
 WHERE p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s)
   AND NOT pg_function_is_visible(p.oid)
