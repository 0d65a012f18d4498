//! What is said of statements about the accounts by which the gateway logs in.

use crate::model::facts::Unanalyzable;

/// A change of one of the gateway's own accounts, by the name that the statement gives it.
pub(super) fn spared(account: &str) -> Unanalyzable {
    Unanalyzable::Never {
        construct: format!("changing the gateway's own account \"{account}\""),
        instead: "The gateway logs in by it for everybody. Change it in the database itself, beside the gateway, and \
                  then in the gateway's configuration; for another account, name it.",
    }
}
