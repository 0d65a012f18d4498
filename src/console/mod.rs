//! The web console: its pages, and the SQL editor's way to the gate.
//!
//! The doors: [`pages()`] serves what `console/` in the source is built to; [`Editor`] gives a page connections of its
//! person. The console has no power of its own. Everything but SQL a page asks of the API, with its person's own key.
//! SQL goes to the gate as from any other client (`client`): over the wire, with a login of the person's by a token that
//! is good for a minute and revoked at once, through the same decisions, limits and records. What makes the connection
//! is behind [`Dial`], which the application fills in: this folder knows neither the data plane nor policy.

mod client;
mod editor;
mod error;
mod line;
mod mysql;
mod pages;
mod ports;
mod postgres;
mod routes;
mod sink;
mod tab;
mod types;

pub use editor::Editor;
pub use error::EditorError;
pub use pages::pages;
pub use ports::{Dial, TargetInfo};
