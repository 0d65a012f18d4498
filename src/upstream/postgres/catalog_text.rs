//! The question that reads a database's catalog, and the reading of its answer.

use super::answers::Row;
use crate::model::{catalog::Catalog, ids::Ident};

/// Reads the rows of [`CATALOG_TEXT`]; the version is the caller's.
pub(crate) fn read(rows: &[Row]) -> Option<Catalog> {
    let mut catalog = Catalog::default();
    for row in rows {
        let (kind, name) = (row.text(0)?, Ident::from(row.text(1)?));
        let schema = row.text(2).map(Ident::from);
        match kind {
            "encoding" => catalog.is_utf8 = &*name == "UTF8",
            "schema" => drop(catalog.schemas.insert(name)),
            "relation" => drop(catalog.relations.entry(name).or_default().insert(schema?)),
            "plain" => drop(catalog.plain.entry(name).or_default().insert(schema?)),
            "routine" => drop(catalog.routines.entry(name).or_default().insert(schema?)),
            "row_routine" => drop(catalog.row_routines.insert(name)),
            "computing_routine" => drop(catalog.computing_routines.insert(name)),
            "operator" => drop(catalog.operators.insert(name)),
            "computing_operator" => drop(catalog.computing_operators.insert(name)),
            "code_type" => drop(catalog.code_types.insert(name)),
            _ => return None,
        }
    }
    Some(catalog)
}

/// One snapshot, one batch. `16384` is FirstNormalObjectId: what initdb made is below it, whatever its schema.
///
/// A routine counts as taking a row when one argument suffices and that can be a composite: of a relation's type,
/// a domain over one, a pseudo-type, or the target of an implicit cast from a composite. A type counts as carrying
/// code when a routine that is not built in reads, prints or casts it, or checks a domain over it, and so does
/// every array, domain, range and row made of such types.
///
/// Some extensions (`harmless`) do nothing but compute. They bring overloads of built-in functions and operators: pg_trgm
/// a `%`, citext a `=` and a `max`, pgcrypto a `gen_random_uuid`. These are left out, or nobody could use the built-in
/// ones in a database with such an extension. What they bring under names of its own is told to be theirs, as long as
/// nobody else has something of that name; `isn_weak` and `set_limit` are not, because they set what outlasts the call.
/// Their types carry no code.
///
/// Source: PostgreSQL manual, "System Catalogs"; src/include/access/transam.h.
pub(crate) const CATALOG_TEXT: &str = "\
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL search_path TO pg_catalog, pg_temp;
WITH RECURSIVE
space AS (
    SELECT n.oid, n.nspname AS name FROM pg_catalog.pg_namespace n
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND n.nspname NOT LIKE 'pg\\_temp\\_%' AND n.nspname NOT LIKE 'pg\\_toast\\_temp\\_%'
),
harmless AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
      AND e.extname IN ('btree_gin', 'btree_gist', 'citext', 'cube', 'earthdistance', 'fuzzystrmatch', 'hstore',
          'intarray', 'isn', 'ltree', 'pg_trgm', 'pgcrypto', 'seg', 'unaccent', 'uuid-ossp', 'vector')
),
routine AS (
    SELECT p.oid, p.proname AS name, n.nspname AS schema, p.pronargs, p.pronargdefaults, p.provariadic,
           p.proargtypes[0] AS first, p.proname NOT IN ('isn_weak', 'set_limit') AND EXISTS (
               SELECT 1 FROM harmless h WHERE h.classid = 'pg_catalog.pg_proc'::regclass AND h.objid = p.oid
           ) AS computes
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE (p.oid >= 16384 OR n.nspname NOT IN ('pg_catalog', 'information_schema'))
      AND NOT (EXISTS (SELECT 1 FROM harmless h
                       WHERE h.classid = 'pg_catalog.pg_proc'::regclass AND h.objid = p.oid)
          AND EXISTS (SELECT 1 FROM pg_catalog.pg_proc b WHERE b.proname = p.proname AND b.oid < 16384
                      AND b.pronamespace = 'pg_catalog'::regnamespace))
),
takes_row AS (
    SELECT t.oid FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
    WHERE t.typtype IN ('c', 'p') OR (t.typtype = 'd' AND b.typtype IN ('c', 'd'))
    UNION
    SELECT c.casttarget FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_type s ON s.oid = c.castsource
    WHERE c.castcontext = 'i' AND s.typtype = 'c'
),
edge(part, whole) AS (
    SELECT t.typelem, t.oid FROM pg_catalog.pg_type t WHERE t.typelem >= 16384
    UNION ALL
    SELECT t.typbasetype, t.oid FROM pg_catalog.pg_type t WHERE t.typbasetype >= 16384
    UNION ALL
    SELECT r.rngsubtype, r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngsubtype >= 16384
    UNION ALL
    SELECT r.rngtypid, CAST(pg_catalog.to_jsonb(r) ->> 'rngmultitypid' AS oid) FROM pg_catalog.pg_range r
    WHERE r.rngtypid >= 16384 AND pg_catalog.to_jsonb(r) ? 'rngmultitypid'
    UNION ALL
    SELECT a.atttypid, c.reltype FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    WHERE a.atttypid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND c.reltype <> 0
    UNION ALL
    SELECT d.refobjid, k.contypid FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_depend d
        ON d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = k.oid
       AND d.refclassid = 'pg_catalog.pg_type'::regclass
    WHERE k.contypid <> 0 AND d.refobjid <> k.contypid AND d.refobjid >= 16384
),
code(oid) AS (
    SELECT t.oid FROM pg_catalog.pg_type t
    WHERE (CAST(t.typinput AS oid) >= 16384 OR CAST(t.typoutput AS oid) >= 16384
       OR CAST(t.typreceive AS oid) >= 16384 OR CAST(t.typsend AS oid) >= 16384
       OR CAST(t.typmodin AS oid) >= 16384 OR CAST(t.typmodout AS oid) >= 16384)
      AND NOT EXISTS (SELECT 1 FROM harmless h
                      WHERE h.classid = 'pg_catalog.pg_type'::regclass AND h.objid = t.oid)
    UNION
    SELECT u.oid FROM pg_catalog.pg_cast c CROSS JOIN LATERAL (
        SELECT c.castsource UNION ALL SELECT c.casttarget) AS u(oid)
    WHERE c.castfunc >= 16384
      AND NOT EXISTS (SELECT 1 FROM harmless h
                      WHERE h.classid = 'pg_catalog.pg_proc'::regclass AND h.objid = c.castfunc)
      AND (u.oid >= 16384 OR (u.oid = c.casttarget AND c.castsource < 16384))
    UNION
    SELECT r.rngtypid FROM pg_catalog.pg_range r
    WHERE CAST(r.rngcanonical AS oid) >= 16384 OR CAST(r.rngsubdiff AS oid) >= 16384
    UNION
    SELECT k.contypid FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_depend d
        ON d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = k.oid
       AND d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
    WHERE k.contypid <> 0 AND d.refobjid >= 16384
    UNION
    SELECT e.whole FROM code JOIN edge e ON e.part = code.oid
)
SELECT 'encoding', pg_catalog.current_setting('server_encoding'), NULL
UNION ALL
SELECT 'schema', n.nspname, NULL FROM pg_catalog.pg_namespace n
UNION ALL
SELECT 'relation', c.relname, s.name FROM pg_catalog.pg_class c JOIN space s ON s.oid = c.relnamespace
UNION ALL
SELECT 'relation', t.typname, s.name FROM pg_catalog.pg_type t JOIN space s ON s.oid = t.typnamespace
WHERE t.typrelid = 0 AND NOT (t.typelem <> 0 AND t.typcategory = 'A')
UNION ALL
SELECT 'plain', c.relname, s.name FROM pg_catalog.pg_class c JOIN space s ON s.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relrowsecurity AND NOT c.relhassubclass AND NOT c.relhasrules
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.atttypid IN (SELECT oid FROM code))
UNION ALL
SELECT 'routine', r.name, r.schema FROM routine r
UNION ALL
SELECT 'row_routine', r.name, NULL FROM routine r
WHERE r.pronargs >= 1 AND r.pronargs - r.pronargdefaults <= 1 AND NOT r.computes
  AND (r.first IN (SELECT oid FROM takes_row) OR r.provariadic IN (SELECT oid FROM takes_row))
UNION ALL
SELECT 'computing_routine', r.name, NULL FROM routine r GROUP BY r.name HAVING pg_catalog.bool_and(r.computes)
UNION ALL
SELECT 'operator', o.oprname, NULL FROM pg_catalog.pg_operator o
    JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
WHERE (o.oid >= 16384 OR n.nspname NOT IN ('pg_catalog', 'information_schema'))
  AND NOT (EXISTS (SELECT 1 FROM harmless h
                   WHERE h.classid = 'pg_catalog.pg_operator'::regclass AND h.objid = o.oid)
      AND EXISTS (SELECT 1 FROM pg_catalog.pg_operator b WHERE b.oprname = o.oprname AND b.oid < 16384
                  AND b.oprnamespace = 'pg_catalog'::regnamespace))
UNION ALL
SELECT 'computing_operator', o.oprname, NULL FROM pg_catalog.pg_operator o
GROUP BY o.oprname HAVING pg_catalog.bool_and(EXISTS (
    SELECT 1 FROM harmless h WHERE h.classid = 'pg_catalog.pg_operator'::regclass AND h.objid = o.oid))
UNION ALL
SELECT 'code_type', t.typname, NULL FROM pg_catalog.pg_type t WHERE t.oid IN (SELECT oid FROM code);
COMMIT";
