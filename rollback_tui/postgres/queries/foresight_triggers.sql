-- Users' triggers that fire in an ordinary session: (table, type bits).
SELECT t.tgrelid, t.tgtype FROM pg_trigger t
 WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
