//! The administration API: JSON over HTTP, bearer service keys, and the pages that machines look at.
//!
//! The door is [`serve`]; [`router`] is the same without sockets. It reads requests, asks the control plane, and
//! writes answers or problems; it decides nothing but who may ask. It never knows the store, the data plane or SQL:
//! what it needs of these comes in [`ApiParts`]. The bodies are [`bodies`], which clients use, too.

mod audit;
mod audit_bodies;
mod audit_tail;
mod auth;
mod body;
mod browser;
mod cookie;
mod denials;
mod events;
mod explain;
mod grants;
mod guard;
mod health;
mod keys;
mod login;
mod openapi;
mod people;
mod policy;
mod problem;
mod provider_login;
mod reader;
mod requests;
mod router;
mod scim;
mod scim_groups;
mod scim_patch;
mod scim_users;
mod server;
mod sessions;
mod slack;
mod throttle;
mod tokens;
mod traces;
mod webhooks;

pub mod bodies;

pub use crate::net::HttpTls as ApiTls;
pub use router::{ApiParts, Peer, Rooms, router};
pub use server::serve;
