//! Everything, in the order in which a start needs it.

use super::{aws, doors, finding::Finding, keeping, people, receivers, rules, servers, told};
use crate::{config::Config, net::Clock};

/// Looks over everything; hands each finding to `tell` as soon as it is there.
pub async fn check_up(config: &Config, clock: &Clock, tell: &mut (dyn FnMut(Finding) + Send)) {
    for warning in &config.warnings {
        tell(Finding::warning("configuration", warning, ""));
    }
    tell(Finding::ok("configuration", format!("{} can be read", config.file.display())));
    rules::check(config, tell);
    let running = keeping::check(config, tell).await;
    doors::check(config, clock.now(), running, tell);
    aws::check(config, tell).await;
    servers::check_up_targets(config, clock, tell).await;
    people::check(config, clock, tell).await;
    told::check(config, tell).await;
    receivers::check(config, tell).await;
}
