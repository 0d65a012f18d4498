//! The MySQL client/server protocol, version 10, as MySQL 5.7 to 9 and MariaDB speak it.

pub mod auth;
pub mod capability;
pub mod command;
mod completion;
pub mod compression;
pub mod error;
pub mod execute;
pub mod fields;
pub mod greeting;
pub mod handshake;
pub mod packet;
pub mod reply;
pub mod response;
pub mod status;
pub mod table;
pub mod track;
pub mod upstream;
