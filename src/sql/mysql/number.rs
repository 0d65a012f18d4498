//! Where a number ends, and which digits begin a name.

use std::borrow::Cow;

use super::{
    lexer::{After, Lexed, Lexer, is_name, refused},
    token::Kind,
};

impl<'t> Lexer<'t> {
    /// A number, or a name that begins with digits.
    pub(super) fn number(&mut self) -> Lexed<(Kind, Cow<'t, str>)> {
        match (self.ahead(0), self.ahead(1)) {
            (b'0', b'x') => return self.prefixed(Kind::Hex, |byte| byte.is_ascii_hexdigit()),
            (b'0', b'b') => return self.prefixed(Kind::Bits, |byte| matches!(byte, b'0' | b'1')),
            _ => {}
        }
        let end = self.span_end(self.at, |byte| byte.is_ascii_digit());
        match (self.byte(end), self.byte(end + 1), self.byte(end + 2)) {
            (b'.', b'.', _) => Err(refused("two points stand side by side", end)),
            (b'.', _, _) => self.fraction(end + 1),
            (b'e' | b'E', b'0'..=b'9', _) | (b'e' | b'E', b'+' | b'-', b'0'..=b'9') => {
                let end = self.span_end(end + 2, |byte| byte.is_ascii_digit());
                self.take(Kind::Float, end)
            }
            (byte, _, _) if is_name(byte) => self.name(After::Any),
            _ => self.take(Kind::Integer, end),
        }
    }

    /// A number from behind its point on.
    pub(super) fn fraction(&mut self, at: usize) -> Lexed<(Kind, Cow<'t, str>)> {
        let end = self.span_end(at, |byte| byte.is_ascii_digit());
        if !matches!(self.byte(end), b'e' | b'E') {
            return self.take(Kind::Decimal, end);
        }
        let sign = usize::from(matches!(self.byte(end + 1), b'+' | b'-'));
        let exponent = end + 1 + sign;
        if !self.byte(exponent).is_ascii_digit() {
            return Err(refused("a number has no exponent", end));
        }
        let end = self.span_end(exponent, |byte| byte.is_ascii_digit());
        self.take(Kind::Float, end)
    }

    /// `0x…` or `0b…`, or a name that begins so.
    fn prefixed(&mut self, kind: Kind, is_digit: impl Fn(u8) -> bool) -> Lexed<(Kind, Cow<'t, str>)> {
        let end = self.span_end(self.at + 2, is_digit);
        if end == self.at + 2 || is_name(self.byte(end)) {
            return self.name(After::Any);
        }
        self.take(kind, end)
    }

    /// `x'…'` or `b'…'`.
    pub(super) fn marked(
        &mut self,
        kind: Kind,
        is_digit: impl Fn(u8) -> bool,
    ) -> Lexed<(Kind, Cow<'t, str>)> {
        let start = self.at;
        let end = self.span_end(start + 2, is_digit);
        let odd = kind == Kind::Hex && (end - start) % 2 == 1;
        if self.byte(end) != b'\'' || odd {
            return Err(refused("a literal of hexadecimal digits or bits is not complete", start));
        }
        self.take(kind, end + 1)
    }
}
