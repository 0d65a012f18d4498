//! Builds everything, in the order in which one thing needs another, and stops it in the opposite order.
//!
//! The door is [`run`]. It is the only place that knows all folders; nothing is decided here.

mod checkup;
mod console;
mod error;
mod estimate;
mod evidence;
mod front;
mod logging;
mod plan;
mod ports;
mod reload;
mod run;
mod slack;
mod stop;
mod store;
mod targets;
mod traces;

pub use checkup::{Finding, Grade, check_up, check_up_targets};
pub use error::AppError;
pub use run::run;
pub use store::store_place;
