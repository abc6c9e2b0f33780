-- Addresses of functions, types, schemas and extensions by their names, looked up with the
-- session's search_path; CASE keeps each look-up from names that it would refuse to read.
SELECT n.kind, n.name,
       CASE n.kind WHEN 'function' THEN 'pg_proc' WHEN 'type' THEN 'pg_type'
                   WHEN 'schema' THEN 'pg_namespace' ELSE 'pg_extension' END::regclass::oid,
       CASE WHEN n.kind = 'function' AND position('(' IN n.name) > 0
              THEN to_regprocedure(n.name)::oid
            WHEN n.kind = 'function' THEN to_regproc(n.name)::oid
            WHEN n.kind = 'type' THEN to_regtype(n.name)::oid
            WHEN n.kind = 'schema' THEN (SELECT s.oid FROM pg_namespace s
                                          WHERE s.nspname = (parse_ident(n.name))[1])
            ELSE (SELECT e.oid FROM pg_extension e WHERE e.extname = (parse_ident(n.name))[1])
       END
  FROM unnest(%(kinds)s::text[], %(names)s::text[]) AS n(kind, name)
