-- All that decides whether the run's row can be written; always one row. With an empty
-- search_path, so that names of pg_catalog come out bare and those of others qualified.
WITH RECURSIVE mine (role) AS (
  -- Real memberships: pg_has_role says yes to a superuser for every role there is.
  SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user
  UNION
  SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN mine ON mine.role = m.member
), owners (role) AS (
  SELECT datdba FROM pg_catalog.pg_database WHERE datname = current_database()
  UNION
  SELECT m.member FROM pg_catalog.pg_auth_members m JOIN owners ON owners.role = m.roleid
), trusted (role) AS (
  SELECT role FROM mine
  -- Who owns the database, or may act for its owner, can do worse to it than lie about a run.
  UNION SELECT role FROM owners
  -- pg_database_owner (14+) is the owner of whichever database one is in.
  UNION SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper OR rolname = 'pg_database_owner'
)
SELECT pg_catalog.pg_is_in_recovery() AS standby,
       current_setting('transaction_read_only') = 'on' AS read_only,
       has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
       (SELECT p.pubname
          FROM pg_catalog.pg_publication p
         WHERE p.puballtables AND p.pubinsert
           AND EXISTS (SELECT FROM pg_catalog.pg_replication_slots s
                        WHERE s.slot_type = 'logical' AND s.database = current_database())
         ORDER BY p.pubname LIMIT 1) AS publication,
       n.oid IS NOT NULL AS schema_there,
       pg_get_userbyid(n.nspowner) AS schema_owner,
       n.nspowner IN (SELECT role FROM trusted) AS schema_trusted,
       has_schema_privilege(n.oid, 'USAGE') AS may_use_schema,
       has_schema_privilege(n.oid, 'CREATE') AS may_create_table,
       c.oid IS NOT NULL AS table_there,
       pg_get_userbyid(c.relowner) AS table_owner,
       c.relowner IN (SELECT role FROM trusted) AS table_trusted,
       c.relkind = 'r' AND NOT c.relispartition AND c.relpersistence = 'p' AS ordinary,
       (SELECT array_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
                         ORDER BY a.attnum)
          FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       (SELECT array_agg(a.attname ORDER BY a.attnum)
          FROM pg_catalog.pg_constraint k
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
         WHERE k.conrelid = c.oid AND k.contype = 'p') AS key,
       -- What would run somebody's code, or hide the row, when we write it.
       (SELECT array_agg(what ORDER BY what) FROM (
          SELECT 'trigger ' || quote_ident(t.tgname)
            FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid
          UNION ALL
          SELECT 'rule ' || quote_ident(r.rulename)
            FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid
          UNION ALL
          SELECT 'row-level security' WHERE c.relrowsecurity
          UNION ALL
          SELECT 'default of ' || quote_ident(a.attname)
            FROM pg_catalog.pg_attrdef d
            JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
           WHERE d.adrelid = c.oid AND (a.attname <> 'inserted_at' OR a.attgenerated <> ''
                                        OR pg_get_expr(d.adbin, d.adrelid) <> 'now()')
          UNION ALL
          -- From 18 on NOT NULL is a constraint too.
          SELECT 'constraint ' || quote_ident(k.conname)
            FROM pg_catalog.pg_constraint k
           WHERE k.conrelid = c.oid AND k.contype NOT IN ('p', 'n')
          UNION ALL
          SELECT 'index ' || quote_ident(i.relname)
            FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
           WHERE x.indrelid = c.oid AND NOT x.indisprimary
       ) AS foreign_code (what)) AS foreign_code,
       ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) p
              WHERE NOT has_table_privilege(c.oid, p)) AS missing
  FROM (SELECT) AS one
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'rollback_tui'
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'runs'
