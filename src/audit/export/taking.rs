//! Takes records out of the log, piece by piece.

use super::{exporter::Exporter, form::Export};
use crate::audit::{
    error::AuditError,
    trail::{Filter, Trail},
};

/// All records that are wanted, the oldest first, on their way out.
pub struct Taking {
    trail: Trail,
    filter: Filter,
    /// `None` once the last piece is given.
    exporter: Option<Exporter>,
}

/// A part of a file.
#[derive(Debug, Default)]
pub struct Piece {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How many records were read for it.
    pub records: usize,
}

impl Taking {
    /// Reads nothing yet.
    ///
    /// # Errors
    /// `Table`.
    pub fn new(trail: Trail, filter: Filter, export: Export) -> Result<Self, AuditError> {
        Ok(Self { trail, filter, exporter: Some(Exporter::new(export)?) })
    }

    /// The next piece, of at least a byte but for the last; `None` behind that.
    ///
    /// # Errors
    /// `Behind`, `Index`, `Read`, `Table`; there are no more pieces then.
    pub async fn next(&mut self) -> Result<Option<Piece>, AuditError> {
        let mut piece = Piece::default();
        while let Some(mut exporter) = self.exporter.take() {
            let (found, last) = self.trail.find_part(&self.filter, RECORDS).await?;
            piece.records += found.len();
            let mut bytes = piece.bytes;
            // A group of a table is compressed here.
            let writing = tokio::task::spawn_blocking(move || {
                for record in &found {
                    exporter.write(record, &mut bytes)?;
                }
                if last.is_some() {
                    return Ok::<_, AuditError>((Some(exporter), bytes));
                }
                exporter.end(&mut bytes)?;
                Ok((None, bytes))
            });
            (self.exporter, piece.bytes) = writing.await.map_err(|_| AuditError::gone())??;
            self.filter.after = last;
            if !piece.bytes.is_empty() || self.exporter.is_none() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

/// Records read at one time.
const RECORDS: usize = 1_000;
