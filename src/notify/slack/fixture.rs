//! A request and its grant, for the tests of this folder.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    control::{GrantView, LifeState, RequestView},
    model::{
        flow::Risk,
        grant::Holder,
        ids::{GrantId, RequestId},
        object::Glob,
        permission::Permission,
        request::{Aftermath, RequestState},
    },
};

pub(super) fn request() -> RequestView {
    RequestView {
        id: RequestId::new(Uuid::nil()),
        state: RequestState::Pending,
        requester: "dana".into(),
        target: "hr".into(),
        database: "hr_prod".into(),
        objects: vec!["public.salary".to_owned()],
        permissions: [Permission::Select].into_iter().collect(),
        role: None,
        statement: None,
        estimate: None,
        seconds: Some(3600),
        until: None,
        starts_at: None,
        reason: "because".to_owned(),
        ticket: None,
        break_glass: false,
        aftermath: Aftermath::None,
        extends: None,
        risk: Risk::Moderate,
        flow: "reads".to_owned(),
        waits_for: vec!["leads".into()],
        reviews: Vec::new(),
        grant: None,
        created_at: Timestamp::UNIX_EPOCH,
        expires_at: Timestamp::UNIX_EPOCH,
        decided_at: None,
    }
}

pub(super) fn grant() -> GrantView {
    GrantView {
        id: GrantId::new(Uuid::nil()),
        holder: Holder::Principal("dana".into()),
        target: Glob::new("hr"),
        database: Glob::new("hr_prod"),
        objects: vec!["public.salary".parse().unwrap()],
        permissions: [Permission::Select].into_iter().collect(),
        starts_at: Timestamp::UNIX_EPOCH,
        ends_at: Some(Timestamp::UNIX_EPOCH),
        reason: "because".to_owned(),
        state: LifeState::Live,
        seconds_left: None,
        created_at: Timestamp::UNIX_EPOCH,
        created_by: "lee".to_owned(),
        revocation: None,
        request: None,
        approvers: Vec::new(),
        statement: None,
        used_at: None,
    }
}
