//! The data plane: one task a client, from accept to close.
//!
//! The doors: [`listen`] accepts, [`login`] lets in and the folder of its protocol serves it; [`Gate`] is what all
//! sessions share and [`Registry`] finds one of them. What is the same for every protocol is here: `run` (the life of a
//! session, and what wakes it), `desk` (whose session it is), `judge` (facts and decision), `allowed` and `records`
//! (start and end), `deeds` (what a COMMIT would make last), `revoke` (what may no longer run), `leaving` (the
//! gateway stops), `elsewhere` (sessions at other gateways), `lanes` (the borrowed connections). Framing, replies and what a session holds by name are `postgres` and `mysql`; what these two answer for
//! `run` is `conversation`.
//! Must never know how grants come to be: it sees snapshots only.

mod allowed;
mod attribution;
mod bounds;
mod cancel_key;
mod cancelling;
mod client;
mod compressed;
mod conversation;
mod deeds;
mod desk;
mod elsewhere;
mod end;
mod gate;
mod judge;
mod lanes;
mod leaving;
mod listener;
pub mod login;
mod long;
mod modes;
mod mysql;
mod once;
mod postgres;
mod pump;
mod records;
mod registry;
mod revoke;
mod run;
mod running;
mod tally;
mod ties;
mod timer;
mod trace;
mod unshown;
mod waiting;
mod who;

pub use gate::{Gate, HeldLimits, Limits};
pub use listener::{Admission, Reception, Speaks, listen};
pub use mysql::mysql_context;
pub use registry::{Handle, Registry};
pub use who::Who;
