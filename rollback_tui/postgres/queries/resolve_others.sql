-- The addresses of objects of rarer classes: collation, statistics object, publication …
SELECT u.place, a.classid, a.objid, a.objsubid
  FROM unnest(%(kinds)s::text[], %(names)s::text[]) WITH ORDINALITY AS u(kind, name, place),
       LATERAL pg_get_object_address(u.kind, parse_ident(u.name), '{}') a
