-- What is rare and lives in a schema: operators, their classes and families, collations,
-- conversions, text search.
WITH object (class, oid, definition, owner) AS (
  SELECT 'pg_operator'::regclass, o.oid,
         concat_ws(E'\n', 'function ' || o.oprcode,
           CASE WHEN o.oprcom <> 0 THEN 'commutator ' || o.oprcom::regoperator END,
           CASE WHEN o.oprnegate <> 0 THEN 'negator ' || o.oprnegate::regoperator END,
           CASE WHEN o.oprrest <> 0 THEN 'restrict ' || o.oprrest END,
           CASE WHEN o.oprjoin <> 0 THEN 'join ' || o.oprjoin END,
           CASE WHEN o.oprcanmerge THEN 'merges' END, CASE WHEN o.oprcanhash THEN 'hashes' END),
         o.oprowner
    FROM pg_operator o WHERE o.oid >= 16384
  UNION ALL
  SELECT 'pg_opclass'::regclass, c.oid,
         concat_ws(E'\n', CASE WHEN c.opcdefault THEN 'default' END,
           'for type ' || format_type(c.opcintype, NULL),
           'family ' || quote_ident(n.nspname) || '.' || quote_ident(f.opfname),
           CASE WHEN c.opckeytype <> 0 THEN 'storage ' || format_type(c.opckeytype, NULL) END),
         c.opcowner
    FROM pg_opclass c JOIN pg_opfamily f ON f.oid = c.opcfamily
    JOIN pg_namespace n ON n.oid = f.opfnamespace WHERE c.oid >= 16384
  UNION ALL
  SELECT 'pg_opfamily'::regclass, f.oid,
         concat_ws(E'\n',
           (SELECT string_agg('operator ' || o.amopstrategy || ' ' || o.amopopr::regoperator
                              || CASE o.amoppurpose WHEN 'o' THEN
                                   ' for order by ' || (SELECT quote_ident(sn.nspname) || '.' || quote_ident(sf.opfname)
                                                          FROM pg_opfamily sf JOIN pg_namespace sn ON sn.oid = sf.opfnamespace
                                                         WHERE sf.oid = o.amopsortfamily) ELSE '' END,
                              E'\n' ORDER BY o.amopstrategy, o.amopopr::regoperator::text COLLATE "C")
              FROM pg_amop o WHERE o.amopfamily = f.oid),
           (SELECT string_agg('function ' || p.amprocnum || ' ('
                              || format_type(p.amproclefttype, NULL) || ', '
                              || format_type(p.amprocrighttype, NULL) || ') ' || p.amproc::oid::regprocedure,
                              E'\n' ORDER BY p.amprocnum, p.amproc::oid::regprocedure::text COLLATE "C")
              FROM pg_amproc p WHERE p.amprocfamily = f.oid)),
         f.opfowner
    FROM pg_opfamily f WHERE f.oid >= 16384
  UNION ALL
  SELECT 'pg_collation'::regclass, c.oid,
         concat_ws(E'\n',
           'provider ' || CASE c.collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu'
                                              WHEN 'b' THEN 'builtin' ELSE 'default' END,
           CASE WHEN NOT c.collisdeterministic THEN 'deterministic false' END,
           'lc_collate ' || quote_literal(c.collcollate),
           'lc_ctype ' || quote_literal(c.collctype),
           'locale ' || quote_literal(c.colliculocale),    -- from 15 -- until 16
           'locale ' || quote_literal(c.colllocale),       -- from 17
           'rules ' || quote_literal(c.collicurules),      -- from 16
           CASE WHEN c.collencoding >= 0 THEN 'encoding ' || pg_encoding_to_char(c.collencoding) END),
         c.collowner
    FROM pg_collation c WHERE c.oid >= 16384
  UNION ALL
  SELECT 'pg_conversion'::regclass, c.oid,
         concat_ws(E'\n', CASE WHEN c.condefault THEN 'default' END,
           'for ' || quote_literal(pg_encoding_to_char(c.conforencoding)) || ' to '
                  || quote_literal(pg_encoding_to_char(c.contoencoding)),
           'from ' || c.conproc),
         c.conowner
    FROM pg_conversion c WHERE c.oid >= 16384
  UNION ALL
  SELECT 'pg_ts_parser'::regclass, p.oid,
         concat_ws(E'\n', 'start ' || p.prsstart, 'gettoken ' || p.prstoken, 'end ' || p.prsend,
           CASE WHEN p.prsheadline <> 0 THEN 'headline ' || p.prsheadline END,
           'lextypes ' || p.prslextype),
         NULL
    FROM pg_ts_parser p WHERE p.oid >= 16384
  UNION ALL
  SELECT 'pg_ts_template'::regclass, t.oid,
         concat_ws(E'\n', CASE WHEN t.tmplinit <> 0 THEN 'init ' || t.tmplinit END,
                   'lexize ' || t.tmpllexize),
         NULL
    FROM pg_ts_template t WHERE t.oid >= 16384
  UNION ALL
  SELECT 'pg_ts_dict'::regclass, d.oid,
         concat_ws(E'\n', 'template ' || quote_ident(n.nspname) || '.' || quote_ident(t.tmplname),
                   d.dictinitoption),
         d.dictowner
    FROM pg_ts_dict d JOIN pg_ts_template t ON t.oid = d.dicttemplate
    JOIN pg_namespace n ON n.oid = t.tmplnamespace WHERE d.oid >= 16384
  UNION ALL
  SELECT 'pg_ts_config'::regclass, c.oid,
         concat_ws(E'\n', 'parser ' || quote_ident(n.nspname) || '.' || quote_ident(p.prsname),
           (SELECT string_agg((SELECT 'mapping for ' || quote_ident(k.alias)
                                 FROM ts_token_type(c.cfgparser) k WHERE k.tokid = m.maptokentype)
                              || ' with ' || m.mapdict::regdictionary, E'\n'
                              ORDER BY m.maptokentype, m.mapseqno)
              FROM pg_ts_config_map m WHERE m.mapcfg = c.oid)),
         c.cfgowner
    FROM pg_ts_config c JOIN pg_ts_parser p ON p.oid = c.cfgparser
    JOIN pg_namespace n ON n.oid = p.prsnamespace WHERE c.oid >= 16384
)
SELECT v.key, v.definition
  FROM object o
 CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) i
 CROSS JOIN LATERAL (
   SELECT i.type || ' ' || i.identity, o.definition
   UNION ALL SELECT 'owner of ' || i.type || ' ' || i.identity, quote_ident(pg_get_userbyid(o.owner))) AS v (key, definition)
 WHERE i.schema IN (SELECT s.name FROM space s) AND v.definition IS NOT NULL
   AND NOT EXISTS (SELECT FROM member m WHERE m.class = o.class AND m.oid = o.oid)
