//! What a client that is not let in is told.

use crate::{
    session::login::error::{Denial, LoginError},
    wire::mysql::error::{ErrorCode, ServerError},
};

/// The last words to `user`; `None` if it is not told anything.
pub(super) fn farewell(error: &LoginError, user: &str) -> Option<ServerError> {
    let refusal = error.refusal(user)?;
    Some(match error {
        // One text, whatever is wrong.
        LoginError::Denied(
            Denial::Disabled
            | Denial::NoCredentials
            | Denial::Throttled
            | Denial::Token(_)
            | Denial::TokenOver { .. }
            | Denial::Unknown
            | Denial::Wrong,
        ) => ServerError::new(ErrorCode::LOGIN_DENIED, format!("Access denied for user '{user}'")),
        LoginError::Denied(Denial::Certificate { .. }) => ServerError::refused(&refusal),
        LoginError::Plaintext | LoginError::ClearWithoutTls => ServerError::new(
            ErrorCode::TLS_REQUIRED,
            "this gateway accepts connections over TLS only. Connect with --ssl-mode=VERIFY_IDENTITY, or at least \
             --ssl-mode=REQUIRED.",
        ),
        LoginError::Wire(problem) => ServerError::broken(problem),
        LoginError::Alpn
        | LoginError::Compresses
        | LoginError::Audit { .. }
        | LoginError::Compare { .. }
        | LoginError::Gone { .. }
        | LoginError::Net(_)
        | LoginError::NoTls
        | LoginError::NoToken
        | LoginError::Place { .. }
        | LoginError::PlaintextBeforeTls
        | LoginError::Random
        | LoginError::TimedOut(_) => ServerError::refused(&refusal),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_the_same_of_every_failed_proof() {
        let told = |denial: Denial| farewell(&denial.into(), "dana").unwrap();
        let wrong = told(Denial::Wrong);
        assert_eq!((wrong.errno, wrong.sqlstate.as_str()), (1045, "28000"));
        assert_eq!(wrong.message, "Access denied for user 'dana'");
        for denial in [Denial::Disabled, Denial::NoCredentials, Denial::Throttled, Denial::Unknown] {
            assert_eq!(told(denial), wrong);
        }
    }

    #[test]
    fn an_unknown_database_has_the_server_s_own_number_and_the_places_to_go() {
        let error =
            LoginError::Place { database: "x".to_owned(), hint: "You may use: hr/hr_prod.".to_owned() };
        let told = farewell(&error, "dana").unwrap();
        assert_eq!(told.errno, 1049);
        assert!(told.message.contains("hr/hr_prod"), "{}", told.message);
    }
}
