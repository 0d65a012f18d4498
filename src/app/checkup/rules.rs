//! The policy directory.

use super::finding::Finding;
use crate::{
    config::Config,
    control::{read_examples, read_policy},
    policy::parse,
    upstream::causes,
};

pub(super) fn check(config: &Config, tell: &mut (dyn FnMut(Finding) + Send)) {
    let directory = config.policies.display();
    let files = match read_policy(&config.policies) {
        Ok(files) => files,
        Err(error) => {
            let advice = "make the directory, or name another in \"policies\"";
            return tell(Finding::failed("policy", causes(&error), advice));
        }
    };
    let policy = match parse(&files) {
        Ok(policy) => policy,
        Err(problems) => {
            for problem in problems {
                let advice = format!("correct it; `tidegate policy check {directory}` looks again");
                tell(Finding::failed("policy", problem.to_string(), advice));
            }
            return;
        }
    };
    let found = format!(
        "{directory}: {} files, {} principals, {} standing grants, {} flows",
        files.len(),
        policy.principals.len(),
        policy.standing.len(),
        policy.flows.len()
    );
    if files.is_empty() {
        let advice = "`tidegate init` writes a first one; docs/policy.md says what may stand in it";
        return tell(Finding::warning(
            "policy",
            format!("{directory} holds no policy file: nobody is known"),
            advice,
        ));
    }
    tell(Finding::ok("policy", found));
    if read_examples(&config.policies).is_ok_and(|examples| examples.is_empty()) {
        let advice = "write some beside it (*.test.yaml), and judge them with `tidegate policy test`";
        tell(Finding::warning("policy examples", "the policy has no examples", advice));
    }
}
