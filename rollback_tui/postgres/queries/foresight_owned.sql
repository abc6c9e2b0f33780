-- What some roles own in this database.
SELECT s.classid, s.objid, s.objsubid
  FROM pg_shdepend s
  JOIN pg_roles r ON r.oid = s.refobjid AND r.rolname = ANY (%(roles)s::name[])
 WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o'
   AND s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
 ORDER BY s.classid, s.objid
