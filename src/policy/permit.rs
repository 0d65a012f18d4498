//! Leave to run: the proof that a statement was judged.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{grant::GrantName, target::Lane};

/// Leave to run one statement (or one batch) once. Only [`decide`](super::decide) can make one.
///
/// ```compile_fail,E0451
/// use tidegate::{model::target::Lane, policy::Permit};
/// let forged = Permit { lane: Lane::Admin, grants: std::sync::Arc::from([]), until: None, version: 0 };
/// ```
/// ```compile_fail,E0624
/// use tidegate::{model::target::Lane, policy::Permit};
/// let forged = Permit::new(Lane::Admin, std::sync::Arc::from([]), None, 0);
/// ```
/// ```compile_fail,E0599
/// fn twice(permit: tidegate::policy::Permit) -> [tidegate::policy::Permit; 2] {
///     [permit.clone(), permit]
/// }
/// ```
/// ```compile_fail,E0599
/// let forged = tidegate::policy::Permit::default();
/// ```
#[must_use]
#[derive(Debug)]
pub struct Permit {
    lane: Lane,
    grants: Arc<[GrantName]>,
    until: Option<Timestamp>,
    version: u64,
}

impl Permit {
    pub(super) fn new(lane: Lane, grants: Arc<[GrantName]>, until: Option<Timestamp>, version: u64) -> Self {
        Self { lane, grants, until, version }
    }

    /// Leave for one more run; whoever gives it has judged that it is due.
    pub(super) fn another(&self) -> Self {
        Self { grants: Arc::clone(&self.grants), ..*self }
    }

    /// The weakest account that the statement can run on.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// The grants that it rests on, each once; for each need the one that lasts longest.
    pub fn grants(&self) -> &[GrantName] {
        &self.grants
    }

    /// First instant at which the grants in force today no longer allow it; `None` is never.
    ///
    /// From that instant on, decide again: a grant that starts later may carry on.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// The version of the snapshot that it was decided on; on another one, decide again.
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// Proof that a statement was judged, enough to have it prepared: leave to run it, or [leave to run it once](super::Once)
/// that nobody has claimed yet. Nothing else can be one.
///
/// ```compile_fail,E0277
/// struct Forged;
/// impl tidegate::policy::Leave for Forged {
///     fn lane(&self) -> tidegate::model::target::Lane { tidegate::model::target::Lane::Admin }
///     fn until(&self) -> Option<jiff::Timestamp> { None }
///     fn version(&self) -> u64 { 0 }
/// }
/// ```
pub trait Leave: sealed::Judged {
    /// The weakest account that the statement can run on.
    fn lane(&self) -> Lane;

    /// First instant at which it no longer holds; `None` is never.
    fn until(&self) -> Option<Timestamp>;

    /// The version of the snapshot that it was decided on; on another one, decide again.
    fn version(&self) -> u64;
}

impl Leave for Permit {
    fn lane(&self) -> Lane {
        self.lane
    }

    fn until(&self) -> Option<Timestamp> {
        self.until
    }

    fn version(&self) -> u64 {
        self.version
    }
}

pub(super) mod sealed {
    /// What this folder alone can make.
    pub trait Judged {}

    impl Judged for super::Permit {}
}
