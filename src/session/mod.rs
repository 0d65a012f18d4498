//! The data plane: one task a client, from accept to close.
//!
//! The doors: [`listen`] accepts, [`login`] lets in, [`serve`] carries statements; [`Gate`] is what all sessions
//! share and [`Registry`] finds one of them. A statement's path is `receive` (what the client says), `judge` (facts
//! and decision), `records` (start record), `lanes` (a connection), `relay` (replies and end record).
//! Must never know how grants come to be: it sees snapshots only.

mod extended;
mod gate;
mod greet;
mod held;
mod judge;
mod lanes;
mod listener;
pub mod login;
mod names;
mod pump;
mod receive;
mod records;
mod registry;
mod relay;
mod revoke;
mod run;
#[expect(clippy::module_inception, reason = "the folder is named for its floor, the file for its type")]
mod session;
mod settings;
mod simple;
mod task;
pub mod throttle;
mod who;

pub use gate::{Gate, Limits};
pub use greet::serve;
pub use held::HeldLimits;
pub use listener::{Admission, listen};
pub use registry::{Handle, Registry};
pub use who::Who;
