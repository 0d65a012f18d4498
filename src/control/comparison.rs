//! Gateways that share a store should judge by one policy: each tells the others the digest of its own.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{info, warn};

use super::{door::Control, error::ControlError};
use crate::model::ids::GatewayName;

/// How often in a row the policy of which gateway was another one.
#[derive(Debug, Default)]
pub(super) struct Comparison(BTreeMap<GatewayName, u32>);

impl Comparison {
    /// Takes in a look; gives the gateways whose policy is another one for longer than a reload takes.
    fn after(&mut self, differ: BTreeSet<GatewayName>) -> Vec<GatewayName> {
        let seen = std::mem::take(&mut self.0);
        self.0 = differ
            .into_iter()
            .map(|name| {
                let looks = seen.get(&name).copied().unwrap_or_default().saturating_add(1);
                (name, looks)
            })
            .collect();
        self.0.iter().filter(|(_, looks)| **looks >= LOOKS).map(|(name, _)| name.clone()).collect()
    }
}

impl Control {
    /// The gateways on the store that judge by another policy than this one does.
    pub fn differing_gateways(&self) -> Vec<GatewayName> {
        self.differing().load().to_vec()
    }

    /// Looks at the policies of the others, and says which are another than ours.
    pub(super) async fn compare_policies(&self, comparison: &mut Comparison) -> Result<(), ControlError> {
        let own = self.policy_view().load().digest.clone();
        let others = self.store().policies_of_others(self.instance()).await?;
        let is_other =
            |(name, digest): (GatewayName, String)| (digest != own && !digest.is_empty()).then_some(name);
        let differ = comparison.after(others.into_iter().filter_map(is_other).collect());
        let known = self.differing().load();
        if *known == differ {
            return Ok(());
        }
        for gateway in differ.iter().filter(|name| !known.contains(name)) {
            warn!(%gateway, own, "another gateway of the store judges by another policy");
        }
        for gateway in known.iter().filter(|name| !differ.contains(name)) {
            info!(%gateway, "it no longer judges by another policy");
        }
        self.parts().metrics.gateways_differ.set(i64::try_from(differ.len()).unwrap_or(i64::MAX));
        self.differing().publish(differ);
        Ok(())
    }
}

/// A new policy comes to all gateways within a second or two, and each says so within two more.
const LOOKS: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_is_another_for_as_long_as_a_reload_takes_is_not_told_of() {
        let mut comparison = Comparison::default();
        let look =
            |names: &[&str]| names.iter().map(|name| GatewayName::from(*name)).collect::<BTreeSet<_>>();
        for _ in 0..3 {
            assert!(comparison.after(look(&["b", "c"])).is_empty());
        }
        assert_eq!(comparison.after(look(&["b"])), ["b".into()]);
        assert_eq!(comparison.after(look(&["b", "c"])), ["b".into()], "c was the same in between");
        assert!(comparison.after(look(&[])).is_empty());
        assert!(comparison.after(look(&["b"])).is_empty());
    }
}
