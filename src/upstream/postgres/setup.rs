//! The gateway's own texts, built from typed values.

use bytes::{BufMut, BytesMut};
use memchr::memchr2;

use crate::{
    model::{ids::Ident, target::Lane},
    upstream::{error::UpstreamError, word::word},
    wire::postgres::backend::message,
};

/// A statement of the gateway's own; nobody's text gets into it.
///
/// All but [`Setup::Poison`] go as Query, which ends the unnamed prepared statement and portal as any Query does.
#[derive(Clone, Copy, Debug)]
pub enum Setup<'a> {
    /// DEALLOCATE of one prepared statement.
    Deallocate(&'a Ident),
    /// A Parse that cannot succeed: fails the upstream's transaction, and skips what follows up to Sync.
    ///
    /// It is for a named statement, so that the unnamed one stays as it is.
    Poison,
    /// A Query that cannot succeed: fails the upstream's transaction.
    PoisonQuery,
    /// The session's transactions are read-only from here on, or no longer are.
    ReadOnly(bool),
    /// RESET ALL.
    ResetAll,
    /// ROLLBACK.
    Rollback,
    /// SET of one setting.
    Set {
        /// The setting; may be qualified with a dot.
        name: &'a Ident,
        /// Its value.
        value: SettingValue<'a>,
    },
}

/// What a setting is set to.
#[derive(Clone, Copy, Debug)]
pub enum SettingValue<'a> {
    /// DEFAULT.
    Default,
    /// One value.
    Literal(&'a str),
    /// A list of names, such as `search_path` takes, as one text: split and quoted as the server itself writes it.
    Path(&'a str),
}

impl Setup<'_> {
    /// It, as it may go out on `lane`.
    ///
    /// # Errors
    /// `Misuse` for what would let the read lane write.
    pub(crate) fn on_lane(self, lane: Lane) -> Result<Self, UpstreamError> {
        let lifts = |name: &str| READ_ONLY_SETTINGS.iter().any(|it| name.eq_ignore_ascii_case(it));
        match self {
            // INVARIANT: whatever a session has set, the read lane stays read-only.
            Self::Set { name, .. } if lane == Lane::Read && lifts(name) => Ok(Self::ReadOnly(true)),
            Self::ReadOnly(false) if lane == Lane::Read => {
                Err(UpstreamError::Misuse { what: "the read lane stays read-only" })
            }
            Self::Deallocate(_)
            | Self::Poison
            | Self::PoisonQuery
            | Self::ReadOnly(_)
            | Self::ResetAll
            | Self::Rollback
            | Self::Set { .. } => Ok(self),
        }
    }

    /// Appends it as one message.
    ///
    /// # Errors
    /// `Misuse` if a value cannot be quoted; nothing is appended then.
    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), UpstreamError> {
        match self {
            Self::Deallocate(name) => {
                own_query(out, &format!("DEALLOCATE \"{}\"", name.replace('"', "\"\"")));
            }
            Self::Poison => message(out, b'P', |out| {
                out.put_slice(b"tidegate_poison\0");
                out.put_slice(POISON.as_bytes());
                out.put_slice(&[0, 0, 0]);
            }),
            Self::PoisonQuery => own_query(out, POISON),
            Self::ReadOnly(on) => {
                own_query(out, if *on { READ_ONLY_ON } else { READ_ONLY_OFF });
            }
            Self::ResetAll => own_query(out, "RESET ALL"),
            Self::Rollback => own_query(out, "ROLLBACK"),
            Self::Set { name, value } => own_query(out, &set(name, *value)?),
        }
        Ok(())
    }
}

/// Appends a Query of the gateway's own.
pub(crate) fn own_query(out: &mut BytesMut, text: &str) {
    message(out, b'Q', |out| {
        out.put_slice(text.as_bytes());
        out.put_u8(0);
    });
}

fn set(name: &str, value: SettingValue<'_>) -> Result<String, UpstreamError> {
    // Room for one name and one value: it is done each time that a connection changes hands.
    let mut text = String::with_capacity(256);
    text.push_str("SET ");
    for (at, part) in name.split('.').enumerate() {
        text.push_str(if at == 0 { "\"" } else { ".\"" });
        text.push_str(word(part)?);
        text.push('"');
    }
    text.push_str(" TO ");
    match value {
        SettingValue::Default => text.push_str("DEFAULT"),
        SettingValue::Literal(value) => quote(&mut text, value)?,
        // `set_config` takes the list as one text; SET would take it for one name.
        SettingValue::Path(path) => {
            let mut call = String::from("SELECT pg_catalog.set_config(");
            quote(&mut call, name)?;
            call.push_str(", ");
            quote(&mut call, path)?;
            call.push_str(", false)");
            return Ok(call);
        }
    }
    Ok(text)
}

/// Quotes so that it reads the same whatever `standard_conforming_strings` says.
fn quote(text: &mut String, value: &str) -> Result<(), UpstreamError> {
    if value.contains('\0') {
        return Err(UpstreamError::Misuse { what: "the value of a setting has a zero byte" });
    }
    text.push_str(if value.contains('\\') { " E'" } else { "'" });
    let mut rest = value;
    // These two stand twice within quotes.
    while let Some((before, behind)) =
        memchr2(b'\'', b'\\', rest.as_bytes()).and_then(|at| rest.split_at_checked(at + 1))
    {
        text.push_str(before);
        text.extend(before.chars().next_back());
        rest = behind;
    }
    text.push_str(rest);
    text.push('\'');
    Ok(())
}

const READ_ONLY_SETTINGS: [&str; 2] = ["default_transaction_read_only", "transaction_read_only"];
const READ_ONLY_ON: &str = "SET default_transaction_read_only TO on";
const READ_ONLY_OFF: &str = "SET default_transaction_read_only TO off";

/// No grammar of any version begins with these words.
const POISON: &str = "refused by tidegate";

#[cfg(test)]
mod tests {
    use super::*;

    fn text(setup: Setup<'_>) -> String {
        let mut out = BytesMut::new();
        setup.encode(&mut out).unwrap();
        String::from_utf8(out[5..out.len() - 1].to_vec()).unwrap()
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let name = Ident::from("my.setting");
        let set = |value| text(Setup::Set { name: &name, value: SettingValue::Literal(value) });
        assert_eq!(set("a'; DROP TABLE t; --"), r#"SET "my"."setting" TO 'a''; DROP TABLE t; --'"#);
        assert_eq!(set(r"a\'"), r#"SET "my"."setting" TO  E'a\\'''"#);
    }

    #[test]
    fn a_name_that_is_no_name_and_a_zero_byte_are_refused() {
        for (name, value) in [("a\"b", "x"), ("", "x"), ("a..b", "x"), ("a b", "x"), ("a", "x\0y")] {
            let name = Ident::from(name);
            let setup = Setup::Set { name: &name, value: SettingValue::Literal(value) };
            let mut out = BytesMut::new();
            assert!(matches!(setup.encode(&mut out), Err(UpstreamError::Misuse { .. })), "{name}");
            assert!(out.is_empty());
        }
    }

    #[test]
    fn nothing_of_ours_lets_the_read_lane_write() {
        let name = Ident::from("Default_Transaction_Read_Only");
        let off = Setup::Set { name: &name, value: SettingValue::Literal("off") };
        assert_eq!(text(off.on_lane(Lane::Read).unwrap()), READ_ONLY_ON);
        assert_eq!(text(off.on_lane(Lane::Write).unwrap()), format!("SET \"{name}\" TO 'off'"));
        assert!(Setup::ReadOnly(false).on_lane(Lane::Read).is_err());
        assert!(Setup::ReadOnly(false).on_lane(Lane::Write).is_ok());
        assert!(Setup::ReadOnly(true).on_lane(Lane::Read).is_ok());
    }

    #[test]
    fn a_list_goes_as_one_text() {
        let name = Ident::from("search_path");
        let setup = Setup::Set { name: &name, value: SettingValue::Path("\"$user\", o'x") };
        assert_eq!(text(setup), r#"SELECT pg_catalog.set_config('search_path', '"$user", o''x', false)"#);
    }
}
