-- What depends on the given objects: (on, dependent, goes silently, what it is internal to).
-- deptype: n normal; a automatic; i internal; P and S partition; e member of an extension;
-- x automatic with an extension.
SELECT d.refclassid, d.refobjid, d.refobjsubid,
       d.classid, d.objid, d.objsubid,
       d.deptype <> 'n' AS automatic,
       o.refclassid, o.refobjid, o.refobjsubid
  FROM unnest(%(catalogs)s::oid[], %(objects)s::oid[], %(columns)s::int[]) AS a(catalog, object, col)
  JOIN pg_depend d ON d.refclassid = a.catalog AND d.refobjid = a.object
                  AND (a.col = 0 OR d.refobjsubid = a.col)
  LEFT JOIN LATERAL (
       SELECT i.refclassid, i.refobjid, i.refobjsubid
         FROM pg_depend i
        WHERE i.classid = d.classid AND i.objid = d.objid AND i.deptype = 'i'
          -- A column is nobody's part because its composite type is (findDependentObjects).
          AND i.objsubid = d.objsubid
        LIMIT 1) o ON true
