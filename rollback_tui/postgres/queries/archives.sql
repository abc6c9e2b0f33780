-- The schemas that carry our mark: (name, run, owner, whether our role may trust that, bytes).
WITH RECURSIVE mine (role) AS (
  -- Real memberships: pg_has_role says yes to a superuser for every role there is.
  SELECT oid FROM pg_roles WHERE rolname = current_user
  UNION
  SELECT m.roleid FROM pg_auth_members m JOIN mine ON mine.role = m.member
), owners (role) AS (
  SELECT datdba FROM pg_database WHERE datname = current_database()
  UNION
  SELECT m.member FROM pg_auth_members m JOIN owners ON owners.role = m.roleid
)
SELECT n.nspname, substr(obj_description(n.oid, 'pg_namespace'), 29, 36),
       pg_get_userbyid(n.nspowner),
       n.nspowner IN (SELECT role FROM mine UNION SELECT role FROM owners
                       UNION SELECT oid FROM pg_roles WHERE rolsuper),
       (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
         WHERE c.relnamespace = n.oid AND c.relkind = 'r')
  FROM pg_namespace n
 WHERE n.nspname = ANY (ARRAY(/* schemas of archives */))
 ORDER BY n.nspname
