-- PostgreSQL's own words for some objects: class and qualified identity.
SELECT a.catalog, a.object, a.col, i.type, i.identity
  FROM unnest(%(catalogs)s::oid[], %(objects)s::oid[], %(columns)s::int[]) AS a(catalog, object, col),
       LATERAL pg_identify_object(a.catalog, a.object, a.col) i
 WHERE i.identity IS NOT NULL
