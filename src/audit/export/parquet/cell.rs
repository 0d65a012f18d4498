//! From the fields of a record to cells.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::columns::{COLUMNS, Column, Kind, LEFT_OUT, SAID_AGAIN, Source};
use crate::audit::trail::{FoundRecord, StoredRecord};

/// What a row has in a column.
#[derive(Debug, PartialEq)]
pub(super) enum Cell<'r> {
    Flag(bool),
    Nothing,
    /// A number, or an instant in microseconds since 1970.
    Number(i64),
    /// Name and mode of each.
    Objects(Vec<(&'r str, &'r str)>),
    Text(Cow<'r, str>),
    Texts(Vec<&'r str>),
}

/// The row of a record, a cell for each of [`COLUMNS`].
pub(super) fn row(found: &FoundRecord) -> Vec<Cell<'_>> {
    let mut own = Rest::of(&found.found);
    let mut end = found.end.as_ref().map(Rest::of);
    let mut cells: Vec<Cell<'_>> =
        COLUMNS.iter().map(|column| cell(column, found, &mut own, end.as_mut())).collect();
    if let Some(more) = cells.last_mut() {
        *more = rest(found, own, end).map_or(Cell::Nothing, |more| Cell::Text(Cow::Owned(more)));
    }
    cells
}

/// Fields that no column has taken yet.
struct Rest<'r> {
    fields: Vec<(&'r str, &'r Value)>,
}

impl<'r> Rest<'r> {
    fn of(record: &'r StoredRecord) -> Self {
        let fields = record.record.as_object().into_iter().flatten();
        let fields = fields.filter(|(name, value)| *name != LEFT_OUT && !value.is_null());
        Self { fields: fields.map(|(name, value)| (name.as_str(), value)).collect() }
    }

    /// Takes a field if a cell of this kind can hold it.
    fn take(&mut self, name: &str, kind: Kind) -> Option<Cell<'r>> {
        let at = self.fields.iter().position(|(found, _)| *found == name)?;
        let cell = fit(kind, self.fields.get(at)?.1)?;
        self.fields.swap_remove(at);
        Some(cell)
    }

    fn into_object(self) -> Map<String, Value> {
        self.fields.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }
}

fn cell<'r>(
    column: &Column,
    found: &FoundRecord,
    own: &mut Rest<'r>,
    end: Option<&mut Rest<'r>>,
) -> Cell<'r> {
    let cell = match column.from {
        Source::Own(field) => own.take(field, column.kind),
        Source::End(field) => end.and_then(|end| end.take(field, column.kind)),
        Source::Either(field) => {
            own.take(field, column.kind).or_else(|| end.and_then(|end| end.take(field, column.kind)))
        }
        Source::Intact => {
            let is_intact = found.found.intact && found.end.as_ref().is_none_or(|end| end.intact);
            Some(Cell::Flag(is_intact))
        }
        // When all others have taken theirs.
        Source::More => None,
    };
    cell.unwrap_or(Cell::Nothing)
}

/// A value as a cell; `None` if it would not be the same.
fn fit(kind: Kind, value: &Value) -> Option<Cell<'_>> {
    match kind {
        Kind::Flag => value.as_bool().map(Cell::Flag),
        Kind::Instant => {
            let at: Timestamp = value.as_str()?.parse().ok()?;
            (at.subsec_nanosecond() % 1_000 == 0).then(|| Cell::Number(at.as_microsecond()))
        }
        Kind::Number => value.as_i64().map(Cell::Number),
        Kind::Objects => {
            let objects = value.as_array()?.iter().map(|object| {
                let fields = object.as_object().filter(|fields| fields.len() == 2)?;
                Some((fields.get("name")?.as_str()?, fields.get("mode")?.as_str()?))
            });
            objects.collect::<Option<_>>().map(Cell::Objects)
        }
        Kind::Text => value.as_str().map(|text| Cell::Text(Cow::Borrowed(text))),
        Kind::Texts => value.as_array()?.iter().map(Value::as_str).collect::<Option<_>>().map(Cell::Texts),
    }
}

/// What no column has taken; `None` if that is nothing.
fn rest(found: &FoundRecord, own: Rest<'_>, end: Option<Rest<'_>>) -> Option<String> {
    let start = &found.found.record;
    if !start.is_object() {
        return Some(start.to_string());
    }
    let mut more = own.into_object();
    if let Some((mut end, record)) = end.zip(found.end.as_ref()) {
        let is_again =
            |name: &str, value: &Value| SAID_AGAIN.contains(&name) && start.get(name) == Some(value);
        end.fields.retain(|(name, value)| {
            !is_again(name, value) && !(*name == "event" && *value == "statement_end")
        });
        let end =
            if record.record.is_object() { Value::Object(end.into_object()) } else { record.record.clone() };
        if end != Value::Object(Map::new()) {
            more.insert("end".to_owned(), end);
        }
    }
    (!more.is_empty()).then(|| Value::Object(more).to_string())
}
