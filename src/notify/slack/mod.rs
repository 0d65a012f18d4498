//! The Slack app: a message for each request that shows how it stands, and people who answer and ask there.
//!
//! The door is [`run`]. Whatever somebody does in Slack is done as the principal that their account is linked to, by the
//! control plane and its rules; this folder decides nothing. Messages are changed by the consumer of the outbox alone, at
//! one gateway of several; what people do is taken at every gateway that Slack reaches. It never knows the data plane.

mod blocks;
mod desk;
mod error;
mod examine;
#[cfg(test)]
mod fixture;
mod form;
mod listener;
mod message;
mod modal;
mod names;
mod payload;
mod replies;
mod run;
#[cfg(test)]
#[path = "../../../tests/slack_support/shapes.rs"]
mod shapes;
mod signature;
mod socket;
mod stage;
mod text;
mod updates;
mod web;

pub use error::SlackError;
pub use examine::{Examined, examine};
pub use run::{SlackParts, run};
