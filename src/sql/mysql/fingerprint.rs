//! One number for statements that differ in literals, white space and the case of words only.

use super::token::{Kind, Token};

/// FNV-1a, 64 bits: stable between builds and machines.
///
/// Source: draft-eastlake-fnv.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The fingerprint of the tokens of one statement. A list of literals counts as one of them.
pub(super) fn fingerprint(tokens: &[Token<'_>]) -> u64 {
    let mut print = BASIS;
    let mut literal_before = false;
    let mut comma = false;
    for token in tokens {
        let literal = is_literal(token.kind);
        if literal_before && !literal && token.is_symbol(",") && !comma {
            comma = true;
            continue;
        }
        if literal && comma {
            comma = false;
            continue;
        }
        if comma {
            add(&mut print, Kind::Symbol, b",");
            comma = false;
        }
        literal_before = literal;
        match token.kind {
            _ if literal => add(&mut print, Kind::String, b""),
            Kind::Hint => {}
            kind => add(&mut print, kind, token.text.as_bytes()),
        }
    }
    print
}

/// Whether it stands for a value.
pub(super) const fn is_literal(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::String
            | Kind::National
            | Kind::Hex
            | Kind::Bits
            | Kind::Integer
            | Kind::Decimal
            | Kind::Float
            | Kind::Placeholder
    )
}

fn add(print: &mut u64, kind: Kind, text: &[u8]) {
    let mut byte = |byte: u8| *print = (*print ^ u64::from(byte)).wrapping_mul(PRIME);
    byte(kind as u8);
    for letter in text {
        byte(if kind == Kind::Word { letter.to_ascii_lowercase() } else { *letter });
    }
    byte(0);
}
