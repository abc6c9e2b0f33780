-- What dropping some objects locks: dropping a part of a table locks the table (dependency.c and
-- the Remove…ById functions it calls); weaker is statistics: ShareUpdateExclusive.
SELECT a.catalog, a.object, a.col,
       CASE a.catalog
         WHEN 'pg_class'::regclass THEN a.object
         WHEN 'pg_constraint'::regclass THEN (SELECT k.conrelid FROM pg_constraint k WHERE k.oid = a.object)
         WHEN 'pg_trigger'::regclass THEN (SELECT t.tgrelid FROM pg_trigger t WHERE t.oid = a.object)
         WHEN 'pg_policy'::regclass THEN (SELECT p.polrelid FROM pg_policy p WHERE p.oid = a.object)
         WHEN 'pg_rewrite'::regclass THEN (SELECT r.ev_class FROM pg_rewrite r WHERE r.oid = a.object)
         WHEN 'pg_attrdef'::regclass THEN (SELECT d.adrelid FROM pg_attrdef d WHERE d.oid = a.object)
         WHEN 'pg_statistic_ext'::regclass
           THEN (SELECT s.stxrelid FROM pg_statistic_ext s WHERE s.oid = a.object)
       END,
       a.catalog = 'pg_statistic_ext'::regclass
  FROM unnest(%(catalogs)s::oid[], %(objects)s::oid[], %(columns)s::int[]) AS a(catalog, object, col)
