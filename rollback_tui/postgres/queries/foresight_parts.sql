-- Triggers, policies and rules of users' relations: (class, address, relation, name).
SELECT 'trigger', 'pg_trigger'::regclass::oid, t.oid, t.tgrelid, t.tgname
  FROM pg_trigger t WHERE NOT t.tgisinternal
UNION ALL
SELECT 'policy', 'pg_policy'::regclass, p.oid, p.polrelid, p.polname FROM pg_policy p
UNION ALL
SELECT 'rule', 'pg_rewrite'::regclass, r.oid, r.ev_class, r.rulename
  FROM pg_rewrite r WHERE r.ev_class >= 16384
