//! A result of the gateway's own: columns, rows, end.
//!
//! Source: MySQL source documentation, "Text Resultset", "Binary Protocol Resultset".

use bytes::{BufMut, BytesMut};

use super::{
    capability::Capabilities,
    fields::{put_number, put_string},
    packet::write_packet,
    reply::{end, put_eof},
    status::Status,
};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub kind: ColumnKind,
}

/// What is in a column; never NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// BIGINT UNSIGNED.
    Large,
    /// INT UNSIGNED.
    Number,
    /// VARCHAR of so many characters in utf8mb4.
    Text(u16),
}

/// The value of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Of a column of numbers.
    Number(u32),
    /// Of a column of texts.
    Text(&'a str),
}

/// How rows are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As an executed statement gives them.
    Binary,
    /// As a query gives them.
    Text,
}

/// Answers with `rows`, each with a value for each of `columns`.
pub fn table(
    out: &mut BytesMut,
    sequence: &mut u8,
    (columns, rows): (&[Column], &[Vec<Value<'_>>]),
    layout: Layout,
    status: Status,
    client: Capabilities,
) {
    write_packet(out, sequence, |out| {
        put_number(out, columns.len() as u64);
        if client.has(Capabilities::OPTIONAL_RESULTSET_METADATA) {
            out.put_u8(1);
        }
    });
    for column in columns {
        write_packet(out, sequence, |out| put_definition(out, *column, client));
    }
    if !client.has(Capabilities::DEPRECATE_EOF) {
        write_packet(out, sequence, |out| put_eof(out, status));
    }
    for row in rows {
        write_packet(out, sequence, |out| match layout {
            Layout::Text => row.iter().for_each(|value| put_text(out, *value)),
            Layout::Binary => {
                out.put_u8(0);
                // No value is NULL; the first two bits stand for none.
                out.put_bytes(0, (columns.len() + 2).div_ceil(8));
                columns.iter().zip(row).for_each(|(column, value)| put_binary(out, column.kind, *value));
            }
        });
    }
    end(out, sequence, status, client);
}

fn put_text(out: &mut BytesMut, value: Value<'_>) {
    match value {
        Value::Number(number) => put_string(out, number.to_string().as_bytes()),
        Value::Text(text) => put_string(out, text.as_bytes()),
    }
}

fn put_binary(out: &mut BytesMut, kind: ColumnKind, value: Value<'_>) {
    match (kind, value) {
        (ColumnKind::Large, Value::Number(number)) => out.put_u64_le(number.into()),
        (ColumnKind::Number, Value::Number(number)) => out.put_u32_le(number),
        (ColumnKind::Text(_), value) => put_text(out, value),
        (ColumnKind::Large | ColumnKind::Number, Value::Text(_)) => {
            debug_assert!(false, "a text in a column of numbers");
        }
    }
}

/// ColumnDefinition41.
fn put_definition(out: &mut BytesMut, column: Column, client: Capabilities) {
    put_string(out, b"def");
    for text in ["", "", "", column.name, ""] {
        put_string(out, text.as_bytes());
    }
    if client.has(Capabilities::EXTENDED_METADATA) {
        put_string(out, b"");
    }
    let (charset, length, kind, flags) = match column.kind {
        ColumnKind::Large => (BINARY, 21, LONGLONG, NOT_NULL | UNSIGNED | IS_BINARY),
        ColumnKind::Number => (BINARY, 10, LONG, NOT_NULL | UNSIGNED | IS_BINARY),
        ColumnKind::Text(characters) => (UTF8MB4_GENERAL_CI, u32::from(characters) * 4, VAR_STRING, NOT_NULL),
    };
    put_number(out, 12);
    out.put_u16_le(charset);
    out.put_u32_le(length);
    out.put_u8(kind);
    out.put_u16_le(flags);
    out.put_u8(0);
    out.put_u16_le(0);
}

const BINARY: u16 = 63;
const UTF8MB4_GENERAL_CI: u16 = 45;
const LONG: u8 = 0x03;
const LONGLONG: u8 = 0x08;
const VAR_STRING: u8 = 0xfd;
const NOT_NULL: u16 = 1;
const UNSIGNED: u16 = 32;
const IS_BINARY: u16 = 128;
