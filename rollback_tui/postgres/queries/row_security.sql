-- Tables whose policies apply to the role we are connected as. Our own is in no dump and no
-- count, so what it hides from us is missed by nobody.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relrowsecurity AND row_security_active(c.oid)
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> 'rollback_tui'
   AND n.nspname <> ALL (ARRAY(/* schemas of archives */))
 ORDER BY 1
