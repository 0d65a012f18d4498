//! What a caller is told when something was refused or failed.

use std::error::Error;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tracing::{error, info};

use super::bodies::ProblemBody;
use crate::{
    audit::AuditError,
    control::{ControlError, IdentityError, NotReviewed},
    model::failure::{Classify, FailureClass},
};

/// A refusal or failure on its way out. Becomes a body in [`Problem::render`], where the request's name is known.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) detail: String,
    pub(super) field: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None }
    }

    /// The body, in `response`'s place.
    pub(super) fn render(self, response: Response, request_id: &str) -> Response {
        debug_assert!(CODES.contains(&self.code), "{} is not described", self.code);
        let body = ProblemBody {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail,
            field: self.field.map(str::to_owned),
            request_id: request_id.to_owned(),
        };
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        Response::from_parts(parts, Body::from(serde_json::to_vec(&body).unwrap_or_default()))
    }

    /// A failed change whose body named what is not there: the body is wrong, not the address.
    pub(super) fn in_body(error: ControlError) -> Self {
        match error {
            ControlError::Unknown { what, .. } => Self {
                field: Some(what),
                ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_reference", error.to_string())
            },
            error => error.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"tidegate\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let (status, code) = match &error {
            ControlError::Audit { .. } => (StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable"),
            ControlError::Conflict => (StatusCode::CONFLICT, "conflict"),
            ControlError::Elsewhere { .. } => (StatusCode::SERVICE_UNAVAILABLE, "gateway_unavailable"),
            ControlError::Exists { .. } => (StatusCode::CONFLICT, "exists"),
            ControlError::File { .. } | ControlError::Random => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
            ControlError::Identity { source } => identity(source),
            ControlError::Interrupted => (StatusCode::INTERNAL_SERVER_ERROR, "interrupted"),
            ControlError::Invalid { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            ControlError::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
            ControlError::Limit { .. } => (StatusCode::CONFLICT, "limit_reached"),
            ControlError::NoProvider => (StatusCode::NOT_FOUND, "no_identity_provider"),
            ControlError::NotAdmitted { .. } => (StatusCode::FORBIDDEN, "not_admitted"),
            ControlError::NotReviewed { source } => not_reviewed(source),
            ControlError::NotTaken { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "request_refused"),
            ControlError::PolicyBroken { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "policy_broken"),
            ControlError::PolicyUnreadable { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "policy_unreadable"),
            ControlError::Store { .. } => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            ControlError::Unaudited { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "unaudited"),
            ControlError::Unknown { .. } => (StatusCode::NOT_FOUND, "not_found"),
            ControlError::WrongPassword => (StatusCode::UNAUTHORIZED, "wrong_password"),
        };
        log(&error);
        let detail = match &error {
            // Whoever shows a wrong token is told no more; the log has the reason.
            ControlError::Identity { source: IdentityError::Token(_) } => {
                "the token is not accepted".to_owned()
            }
            error => error.to_string(),
        };
        let field = match &error {
            ControlError::Invalid { field, .. }
            | ControlError::NotReviewed { source: NotReviewed::NotNarrower { field } } => Some(*field),
            _ => None,
        };
        Self { field, ..Self::new(status, code, detail) }
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        if let AuditError::Filter { field, .. } = error {
            let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", error.to_string());
            return Self { field: Some(field), ..problem };
        }
        error!(%error, cause = error.source().map(tracing::field::display), "the audit log could not be read");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "audit_unreadable", error.to_string())
    }
}

/// The caller's fault, the provider's, or that of how they were put together.
fn identity(why: &IdentityError) -> (StatusCode, &'static str) {
    match why {
        IdentityError::Answer { .. } | IdentityError::Unreachable { .. } => {
            (StatusCode::BAD_GATEWAY, "identity_provider_failed")
        }
        IdentityError::Declined { .. } => (StatusCode::FORBIDDEN, "login_declined"),
        IdentityError::NoSuchLogin => (StatusCode::GONE, "login_over"),
        IdentityError::Pending { .. } => (StatusCode::ACCEPTED, "login_pending"),
        IdentityError::Random | IdentityError::Setup { .. } => {
            (StatusCode::INTERNAL_SERVER_ERROR, "internal")
        }
        IdentityError::Redirect => (StatusCode::UNPROCESSABLE_ENTITY, "redirect_not_allowed"),
        IdentityError::Token(_) => (StatusCode::UNAUTHORIZED, "wrong_token"),
        IdentityError::Unsupported { .. } => (StatusCode::NOT_IMPLEMENTED, "unsupported_by_provider"),
    }
}

/// May not, cannot any more, or not so.
fn not_reviewed(why: &NotReviewed) -> (StatusCode, &'static str) {
    match why {
        NotReviewed::Gone(_) | NotReviewed::NotApprover { .. } | NotReviewed::OwnRequest => {
            (StatusCode::FORBIDDEN, "not_approver")
        }
        NotReviewed::Expired | NotReviewed::Nothing => (StatusCode::CONFLICT, "expired"),
        NotReviewed::Settled(_) => (StatusCode::CONFLICT, "settled"),
        NotReviewed::Twice => (StatusCode::CONFLICT, "answered_already"),
        NotReviewed::NotNarrower { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "not_narrower"),
    }
}

/// The cause is for the log alone.
fn log(error: &ControlError) {
    let cause = error.source().map(tracing::field::display);
    match error.class() {
        FailureClass::Internal | FailureClass::Storage | FailureClass::Upstream => {
            error!(%error, cause, "an administrator's change failed");
        }
        FailureClass::Client | FailureClass::Configuration | FailureClass::Denied | FailureClass::Limit => {
            info!(%error, cause, "an administrator's change was refused");
        }
    }
}

/// Every code that a problem can have: what programs go by, so that none ever changes its meaning.
pub(super) const CODES: [&str; 43] = [
    "answered_already",
    "audit_not_indexed",
    "audit_unavailable",
    "audit_unreadable",
    "conflict",
    "exists",
    "expired",
    "forbidden",
    "gateway_unavailable",
    "idempotency_key_reused",
    "identity_provider_failed",
    "internal",
    "interrupted",
    "invalid",
    "limit_reached",
    "login_declined",
    "login_over",
    "login_pending",
    "malformed",
    "no_identity_provider",
    "no_such_address",
    "no_such_method",
    "not_a_person",
    "not_admitted",
    "not_approver",
    "not_found",
    "not_json",
    "not_narrower",
    "policy_broken",
    "policy_unreadable",
    "redirect_not_allowed",
    "request_refused",
    "settled",
    "store_unavailable",
    "throttled",
    "timeout",
    "too_large",
    "unaudited",
    "unauthorized",
    "unknown_reference",
    "unsupported_by_provider",
    "wrong_password",
    "wrong_token",
];

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn every_code_is_in_the_reference_and_none_beside_them() {
        let reference = include_str!("../../docs/api.md");
        let table = reference.split("| code | status | |").nth(1).unwrap().split("\n\n").next().unwrap();
        let mut told: Vec<&str> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split(" |").next())
            .flat_map(|cell| cell.split(", "))
            .map(|code| code.trim_matches('`'))
            .collect();
        told.sort_unstable();
        assert_eq!(told, CODES);
    }
}
