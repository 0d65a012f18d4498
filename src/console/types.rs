//! What columns hold, in the words of their databases.

/// Of PostgreSQL, by the number of a built-in type; empty for others.
///
/// Source: PostgreSQL, `pg_type.dat`.
pub(super) const fn of_postgres(oid: i32) -> &'static str {
    match oid {
        16 => "bool",
        17 => "bytea",
        18 => "char",
        19 => "name",
        20 => "int8",
        21 => "int2",
        23 => "int4",
        25 => "text",
        26 => "oid",
        114 => "json",
        700 => "float4",
        701 => "float8",
        790 => "money",
        869 => "inet",
        1042 => "bpchar",
        1043 => "varchar",
        1082 => "date",
        1083 => "time",
        1114 => "timestamp",
        1184 => "timestamptz",
        1186 => "interval",
        1266 => "timetz",
        1700 => "numeric",
        2950 => "uuid",
        3802 => "jsonb",
        _ => "",
    }
}

/// Of MySQL, by the number of its type, and whether it is of bytes; empty for others.
///
/// Source: MySQL source documentation, "Column Definition Types".
pub(super) const fn of_mysql(kind: u8, is_binary: bool) -> &'static str {
    match kind {
        1 => "tinyint",
        2 => "smallint",
        3 => "int",
        4 => "float",
        5 => "double",
        7 => "timestamp",
        8 => "bigint",
        9 => "mediumint",
        10 => "date",
        11 => "time",
        12 => "datetime",
        13 => "year",
        16 => "bit",
        245 => "json",
        0 | 246 => "decimal",
        249..=252 if is_binary => "blob",
        249..=252 => "text",
        15 | 253 if is_binary => "varbinary",
        15 | 253 => "varchar",
        254 if is_binary => "binary",
        254 => "char",
        _ => "",
    }
}
