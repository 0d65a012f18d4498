//! PostgreSQL's frontend/backend protocol, versions 3.0 and 3.2.

pub mod backend;
pub mod frame;
pub mod frontend;
pub mod ledger;
pub mod oauth;
pub mod scram;
pub mod shape;
pub mod startup;
mod startup_options;
mod startup_parameters;
pub mod upstream;
