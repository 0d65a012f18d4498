//! Records as a table of typed columns, a row each; a statement and its end are one.
//!
//! The door is [`Table`]. What is written down in [`columns`] is both the schema and where a cell comes from; whatever
//! has no column of its own, or is not of its type, is in `more`. A group of rows at a time is in memory.
//!
//! Source: Apache Parquet, "Logical Types" (lists, timestamps, strings).

mod cell;
mod columns;
mod leaf;
mod table;

#[cfg(test)]
mod table_tests;

pub(super) use table::Table;
