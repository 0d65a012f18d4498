//! Types of columns, casts and JSON paths.

use super::{
    operand::UNITS,
    parser::{Parsed, Parser},
    token::Kind,
};

impl Parser<'_> {
    /// A type with its length, its values and its attributes.
    pub(super) fn data_type(&mut self) -> Parsed<()> {
        if self.accept_word("INTERVAL") {
            // INTERVAL DAY_SECOND(6), of MariaDB's casts.
            self.accept_any(UNITS);
        } else if self.accept_any(TYPES).is_none() {
            return Err(self.unexpected());
        }
        // LONG VARCHAR, NATIONAL CHARACTER VARYING, DOUBLE PRECISION, SIGNED INTEGER.
        while !self.is_charset_clause() && self.accept_any(SECOND_WORDS).is_some() {}
        if self.is_symbol("(") {
            self.in_brackets(Self::type_parameters)?;
        }
        loop {
            if self.accept_any(ATTRIBUTES).is_some() {
                continue;
            }
            if self.is_charset_clause() {
                self.skip(2);
                self.collation()?;
                continue;
            }
            if self.accept_any(&["CHARSET", "COLLATE"]).is_some() {
                self.collation()?;
                continue;
            }
            return Ok(());
        }
    }

    fn is_charset_clause(&self) -> bool {
        self.are_words(&["CHARACTER", "SET"]) || self.are_words(&["CHAR", "SET"])
    }

    fn type_parameters(&mut self) -> Parsed<()> {
        loop {
            let parameter = self.accept_kind(Kind::Integer).is_some()
                || self.accept_kind(Kind::Decimal).is_some()
                || self.accept_kind(Kind::Hex).is_some();
            if !parameter {
                self.literal()?;
            }
            if !self.accept_symbol(",") {
                return Ok(());
            }
        }
    }
}

/// First words of types.
const TYPES: &[&str] = &[
    "BIGINT",
    "BINARY",
    "BIT",
    "BLOB",
    "BOOL",
    "BOOLEAN",
    "CHAR",
    "CHARACTER",
    "DATE",
    "DATETIME",
    "DEC",
    "DECIMAL",
    "DOUBLE",
    "ENUM",
    "FIXED",
    "FLOAT",
    "FLOAT4",
    "FLOAT8",
    "GEOMCOLLECTION",
    "GEOMETRY",
    "GEOMETRYCOLLECTION",
    "INET4",
    "INET6",
    "INT",
    "INT1",
    "INT2",
    "INT3",
    "INT4",
    "INT8",
    "INTEGER",
    "JSON",
    "LINESTRING",
    "LONG",
    "LONGBLOB",
    "LONGTEXT",
    "MEDIUMBLOB",
    "MEDIUMINT",
    "MEDIUMTEXT",
    "MIDDLEINT",
    "MULTILINESTRING",
    "MULTIPOINT",
    "MULTIPOLYGON",
    "NATIONAL",
    "NCHAR",
    "NUMERIC",
    "NVARCHAR",
    "POINT",
    "POLYGON",
    "REAL",
    "SERIAL",
    "SET",
    "SIGNED",
    "SMALLINT",
    "TEXT",
    "TIME",
    "TIMESTAMP",
    "TINYBLOB",
    "TINYINT",
    "TINYTEXT",
    "UNSIGNED",
    "UUID",
    "VARBINARY",
    "VARCHAR",
    "VARCHARACTER",
    "VECTOR",
    "YEAR",
];

/// Words that may stand behind the first one.
const SECOND_WORDS: &[&str] =
    &["CHAR", "CHARACTER", "INT", "INTEGER", "PRECISION", "VARBINARY", "VARCHAR", "VARCHARACTER", "VARYING"];

/// Words that may stand behind the length.
const ATTRIBUTES: &[&str] =
    &["ARRAY", "ASCII", "BINARY", "BYTE", "SIGNED", "UNICODE", "UNSIGNED", "ZEROFILL"];
