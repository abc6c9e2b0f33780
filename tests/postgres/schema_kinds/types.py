"""Types, operators, casts, collations, text search, extensions, schemas."""

from __future__ import annotations

from tests.postgres.schema_kinds.kind import Family, Kind, change, same

_MOOD = "type public.mood"
_PAIR = "type public.pair"
_DOMAIN = "type public.limited"
_SPAN = "type public.span"
_BASE = "type public.whole"

TYPES = Family(
    "types",
    """
    CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN limited AS text;
    CREATE TYPE span AS RANGE (subtype = text);
    CREATE TYPE whole;
    CREATE FUNCTION whole_in(cstring) RETURNS whole LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
    CREATE FUNCTION whole_out(whole) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS
      'int4out';
    CREATE FUNCTION whole_recv(internal) RETURNS whole LANGUAGE internal IMMUTABLE STRICT AS
      'int4recv';
    CREATE TYPE whole (input = whole_in, output = whole_out, internallength = 4, passedbyvalue,
      alignment = int4);
    CREATE FUNCTION apart(a float8, b float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT
      a - b';
    """,
    (
        change("enum appears", "CREATE TYPE e2 AS ENUM ('a')", "type public.e2"),
        change("enum goes", "DROP TYPE e2", "type public.e2"),
        change("enum without labels", "CREATE TYPE e3 AS ENUM ()", "type public.e3"),
        change("label added", "ALTER TYPE mood ADD VALUE 'calm'", _MOOD),
        change("label added before", "ALTER TYPE mood ADD VALUE 'wild' BEFORE 'sad'", _MOOD),
        change("label renamed", "ALTER TYPE mood RENAME VALUE 'sad' TO 'low'", _MOOD),
        change(
            "labels in another order",
            "DROP TYPE mood; CREATE TYPE mood AS ENUM ('wild', 'glad', 'low', 'calm')",
            _MOOD,
        ),
        change("attribute", "ALTER TYPE pair ADD ATTRIBUTE c int", _PAIR),
        change("attribute's type", "ALTER TYPE pair ALTER ATTRIBUTE c TYPE bigint", _PAIR),
        change(
            "attribute's collation",
            'ALTER TYPE pair ALTER ATTRIBUTE b TYPE text COLLATE "POSIX"',
            _PAIR,
        ),
        change("attribute is renamed", "ALTER TYPE pair RENAME ATTRIBUTE c TO d", _PAIR),
        change("attribute goes", "ALTER TYPE pair DROP ATTRIBUTE d", _PAIR),
        change(
            "attributes in another order",
            "DROP TYPE pair; CREATE TYPE pair AS (b text, a int)",
            _PAIR,
        ),
        change("type is renamed", "ALTER TYPE pair RENAME TO couple", "type public.couple"),
        change("domain not null", "ALTER DOMAIN limited SET NOT NULL", _DOMAIN),
        change("domain's default", "ALTER DOMAIN limited SET DEFAULT 'x'", _DOMAIN),
        change("domain without default", "ALTER DOMAIN limited DROP DEFAULT", _DOMAIN),
        change(
            "domain of another type",
            "DROP DOMAIN limited; CREATE DOMAIN limited AS varchar(7)",
            _DOMAIN,
        ),
        change(
            "domain's collation",
            'DROP DOMAIN limited; CREATE DOMAIN limited AS varchar(7) COLLATE "POSIX"',
            _DOMAIN,
        ),
        change(
            "range of another type",
            "DROP TYPE span; CREATE TYPE span AS RANGE (subtype = float8)",
            _SPAN,
        ),
        change(
            "range's difference",
            "DROP TYPE span; CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = apart)",
            _SPAN,
        ),
        change(
            "range's multirange",
            "DROP TYPE span; CREATE TYPE span AS RANGE (subtype = float8, multirange_type_name"
            " = spans)",
            _SPAN,
            since=14,
        ),
        change(
            "range's operator class",
            "DROP TYPE span; CREATE TYPE span AS RANGE (subtype = text, subtype_opclass ="
            " text_pattern_ops)",
            _SPAN,
        ),
        change(
            "range's collation",
            'DROP TYPE span; CREATE TYPE span AS RANGE (subtype = text, collation = "POSIX")',
            _SPAN,
        ),
        change("shell", "CREATE TYPE hollow", "type public.hollow"),
        change("base type's function", "ALTER TYPE whole SET (receive = whole_recv)", _BASE),
        change(
            "base type in another array",
            "CREATE TYPE whole2; DROP TYPE hollow",
            "type public.whole2",
        ),
        change(
            "base type's default",
            "DROP TYPE whole2; UPDATE pg_type SET typdefault = '7' WHERE typname = 'whole'",
            _BASE,
        ),
        change(
            "base type's category",
            "UPDATE pg_type SET typcategory = 'N', typispreferred = true WHERE typname = 'whole'",
            _BASE,
        ),
        same("label that is there", "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'glad'"),
        same("made and dropped", "CREATE TYPE z AS ENUM ('a'); DROP TYPE z"),
        same(
            "attribute added and dropped",
            "ALTER TYPE couple ADD ATTRIBUTE z int; ALTER TYPE couple DROP ATTRIBUTE z",
        ),
    ),
)

_OP = "operator public.===(integer,integer)"
_FAMILY = "operator family public.fam USING btree"
_CLASS = "operator class public.cls USING btree"
_CAST = "cast (public.mood AS integer)"
_CONFIG = "text search configuration public.cfg"
_DICT = "text search dictionary public.dict"

OTHERS = Family(
    "operators and text search",
    """
    CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE FUNCTION alike(a int, b int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT a = b';
    CREATE FUNCTION unlike(a int, b int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT a <> b';
    CREATE FUNCTION mood_int(m mood) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
    CREATE FUNCTION compare(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT
      btint4cmp(a, b)';
    CREATE OPERATOR === (leftarg = int, rightarg = int, function = alike);
    CREATE OPERATOR FAMILY fam USING btree;
    CREATE COLLATION own FROM "C";
    CREATE TEXT SEARCH CONFIGURATION cfg (parser = "default");
    CREATE TEXT SEARCH DICTIONARY dict (template = simple);
    """,
    (
        change(
            "operator appears",
            "CREATE OPERATOR ==== (leftarg = int, rightarg = int, function = alike)",
            "operator public.====(integer,integer)",
        ),
        change(
            "operator goes",
            "DROP OPERATOR ==== (int, int)",
            "operator public.====(integer,integer)",
        ),
        change(
            "prefix operator",
            "CREATE FUNCTION minus(int) RETURNS int LANGUAGE sql AS 'SELECT -$1'; CREATE"
            " OPERATOR @#@ (rightarg = int, function = minus)",
            "operator public.@#@(NONE,integer)",
        ),
        change(
            "function",
            "DROP OPERATOR === (int, int); CREATE OPERATOR === (leftarg = int, rightarg = int,"
            " function = unlike)",
            _OP,
        ),
        change(
            "commutator",
            "DROP OPERATOR === (int, int); CREATE OPERATOR === (leftarg = int, rightarg = int,"
            " function = unlike, commutator = ===)",
            _OP,
        ),
        change(
            "negator",
            "CREATE OPERATOR !=== (leftarg = int, rightarg = int, function = unlike, negator ="
            " ===)",
            "operator public.!===(integer,integer)",
            _OP,
        ),
        change("selectivity", "ALTER OPERATOR === (int, int) SET (restrict = eqsel)", _OP),
        change("selectivity of joins", "ALTER OPERATOR === (int, int) SET (join = eqjoinsel)", _OP),
        change(
            "hashes and merges", "ALTER OPERATOR === (int, int) SET (hashes, merges)", _OP, since=17
        ),
        change(
            "operator class",
            "CREATE OPERATOR CLASS cls FOR TYPE int USING btree FAMILY fam AS OPERATOR 1 <,"
            " OPERATOR 3 =, FUNCTION 1 btint4cmp(int, int)",
            _CLASS,
        ),
        change(
            "other operators",
            "DROP OPERATOR CLASS cls USING btree; CREATE OPERATOR CLASS cls FOR TYPE int USING"
            " btree FAMILY fam AS OPERATOR 1 <, OPERATOR 3 =, OPERATOR 5 >, FUNCTION 1"
            " btint4cmp(int, int)",
            _FAMILY,
        ),
        change(
            "other function",
            "DROP OPERATOR CLASS cls USING btree; CREATE OPERATOR CLASS cls FOR TYPE int USING"
            " btree FAMILY fam AS OPERATOR 1 <, OPERATOR 3 =, OPERATOR 5 >, FUNCTION 1"
            " compare(int, int)",
            _FAMILY,
        ),
        change(
            "loose member of a family",
            "ALTER OPERATOR FAMILY fam USING btree ADD OPERATOR 1 < (int, bigint)",
            _FAMILY,
        ),
        change(
            "loose member goes",
            "ALTER OPERATOR FAMILY fam USING btree DROP OPERATOR 1 (int, bigint)",
            _FAMILY,
        ),
        change(
            "operator class is renamed",
            "ALTER OPERATOR CLASS cls USING btree RENAME TO cls2",
            "operator class public.cls2 USING btree",
        ),
        change("operator family goes", "DROP OPERATOR FAMILY fam USING btree CASCADE", _FAMILY),
        change("cast", "CREATE CAST (mood AS int) WITH FUNCTION mood_int(mood)", _CAST),
        change(
            "cast by assignment",
            "DROP CAST (mood AS int); CREATE CAST (mood AS int) WITH FUNCTION mood_int(mood) AS"
            " ASSIGNMENT",
            _CAST,
        ),
        change(
            "implicit cast",
            "DROP CAST (mood AS int); CREATE CAST (mood AS int) WITH FUNCTION mood_int(mood) AS"
            " IMPLICIT",
            _CAST,
        ),
        change(
            "cast by input and output",
            "DROP CAST (mood AS int); CREATE CAST (mood AS int) WITH INOUT",
            _CAST,
        ),
        change("cast goes", "DROP CAST (mood AS int)", _CAST),
        change("collation", 'CREATE COLLATION own2 FROM "POSIX"', "collation public.own2"),
        change(
            "collation of another locale",
            "DROP COLLATION own; CREATE COLLATION own (lc_collate = 'POSIX', lc_ctype = 'C')",
            "collation public.own",
        ),
        change("collation goes", "DROP COLLATION own2", "collation public.own2"),
        change(
            "collation of the server's own",
            "CREATE COLLATION built (provider = builtin, locale = 'C.UTF-8')",
            "collation public.built",
            since=17,
        ),
        change(
            "conversion",
            "CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
            "conversion public.c",
        ),
        change(
            "default conversion",
            "DROP CONVERSION c; CREATE DEFAULT CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM"
            " iso8859_1_to_utf8",
            "conversion public.c",
        ),
        change("conversion goes", "DROP CONVERSION c", "conversion public.c"),
        change(
            "mapping",
            "ALTER TEXT SEARCH CONFIGURATION cfg ADD MAPPING FOR asciiword, word WITH simple",
            _CONFIG,
        ),
        change(
            "more dictionaries",
            "ALTER TEXT SEARCH CONFIGURATION cfg ALTER MAPPING FOR word WITH dict, simple",
            _CONFIG,
        ),
        change(
            "dictionaries in another order",
            "ALTER TEXT SEARCH CONFIGURATION cfg ALTER MAPPING FOR word WITH simple, dict",
            _CONFIG,
        ),
        change(
            "mapping goes",
            "ALTER TEXT SEARCH CONFIGURATION cfg DROP MAPPING FOR asciiword",
            _CONFIG,
        ),
        change(
            "configuration appears",
            "CREATE TEXT SEARCH CONFIGURATION cfg2 (copy = english)",
            "text search configuration public.cfg2",
        ),
        change(
            "option of a dictionary", "ALTER TEXT SEARCH DICTIONARY dict (accept = false)", _DICT
        ),
        change(
            "dictionary of another template",
            "DROP TEXT SEARCH DICTIONARY dict CASCADE; CREATE TEXT SEARCH DICTIONARY dict"
            " (template = snowball, language = german)",
            _DICT,
        ),
        change(
            "template",
            "CREATE TEXT SEARCH TEMPLATE tpl (lexize = dsimple_lexize)",
            "text search template public.tpl",
        ),
        change(
            "template's initialisation",
            "DROP TEXT SEARCH TEMPLATE tpl; CREATE TEXT SEARCH TEMPLATE tpl (init ="
            " dsimple_init, lexize = dsimple_lexize)",
            "text search template public.tpl",
        ),
        change(
            "parser",
            "CREATE TEXT SEARCH PARSER prs (start = prsd_start, gettoken = prsd_nexttoken, end"
            " = prsd_end, lextypes = prsd_lextype)",
            "text search parser public.prs",
        ),
        change(
            "parser's headline",
            "DROP TEXT SEARCH PARSER prs; CREATE TEXT SEARCH PARSER prs (start = prsd_start,"
            " gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype, headline ="
            " prsd_headline)",
            "text search parser public.prs",
        ),
        change(
            "access method",
            "CREATE ACCESS METHOD heap3 TYPE TABLE HANDLER heap_tableam_handler",
            "access method heap3",
        ),
        change("access method goes", "DROP ACCESS METHOD heap3", "access method heap3"),
        change("schema", "CREATE SCHEMA more", "schema more"),
        change("schema is renamed", "ALTER SCHEMA more RENAME TO less", "schema less"),
        change("extension", "CREATE EXTENSION vector", "extension vector"),
        change(
            "extension in another schema",
            "ALTER EXTENSION vector SET SCHEMA less",
            "extension vector",
        ),
        change("extension goes", "DROP EXTENSION vector", "extension vector"),
        Kind(
            "extension of the server",
            "DROP EXTENSION plpgsql; CREATE EXTENSION plpgsql",
            ("extension plpgsql",),
        ),
        same(
            "made and dropped",
            "CREATE OPERATOR =#= (leftarg = int, rightarg = int, function = alike); DROP"
            " OPERATOR =#= (int, int)",
        ),
        same(
            "the same mapping",
            "ALTER TEXT SEARCH CONFIGURATION cfg2 ALTER MAPPING REPLACE simple WITH simple",
        ),
        same("dropped and made", "DROP SCHEMA less; CREATE SCHEMA less"),
    ),
)

FAMILIES = (TYPES, OTHERS)
