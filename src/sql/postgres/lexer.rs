//! A cheap cut of a text into tokens, as the server's scanner cuts it.
//!
//! Only for bounds and places in the text: what a statement means is read from the parser's tree alone.

/// What a token is, as far as bounds need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Keyword or unquoted identifier.
    Word,
    /// String constant of any kind, quoted identifier, number, parameter.
    Operand,
    /// A run of operator characters.
    Operator,
    /// `(` or `[`.
    Open,
    /// `)` or `]`.
    Close,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `.`
    Dot,
    /// Any other character, for example `:`.
    Other,
}

/// A token and where it stands, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Iterates over the tokens of a text; white space and comments are skipped.
pub(super) struct Lexer<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { bytes: text.as_bytes(), at: 0 }
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn ahead(&self, offset: usize) -> u8 {
        self.byte(self.at + offset)
    }

    fn end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn skip_while(&mut self, fits: impl Fn(u8) -> bool) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len());
    }

    fn skip_blank(&mut self) {
        loop {
            self.skip_while(is_space);
            match (self.ahead(0), self.ahead(1)) {
                _ if self.end() => return,
                (b'-', b'-') => self.skip_while(|byte| byte != b'\n' && byte != b'\r'),
                (b'/', b'*') => self.skip_block_comment(),
                _ => return,
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0_usize;
        while !self.end() {
            match (self.ahead(0), self.ahead(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// From the opening quote to behind the last closing one; strings with a line break between them are one.
    fn skip_string(&mut self, backslash: bool) {
        loop {
            self.at += 1;
            loop {
                match (self.ahead(0), self.ahead(1)) {
                    _ if self.end() => return,
                    (b'\\', _) if backslash => self.at += 2,
                    (b'\'', b'\'') => self.at += 2,
                    (b'\'', _) => break,
                    _ => self.at += 1,
                }
            }
            self.at += 1;
            let Some(next) = self.continuation() else { return };
            self.at = next;
        }
    }

    /// Where a string goes on behind white space with a line break in it.
    fn continuation(&self) -> Option<usize> {
        let mut at = self.at;
        let mut line_break = false;
        loop {
            match (self.byte(at), self.byte(at + 1)) {
                (b'\n' | b'\r', _) => {
                    line_break = true;
                    at += 1;
                }
                (b'-', b'-') => {
                    while at < self.bytes.len() && !matches!(self.byte(at), b'\n' | b'\r') {
                        at += 1;
                    }
                }
                (b'\'', _) => return line_break.then_some(at),
                (byte, _) if is_space(byte) => at += 1,
                _ => return None,
            }
        }
    }

    fn skip_quoted_identifier(&mut self) {
        self.at += 1;
        loop {
            match (self.ahead(0), self.ahead(1)) {
                _ if self.end() => return,
                (b'"', b'"') => self.at += 2,
                (b'"', _) => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }

    /// Past `$tag$ … $tag$` if one starts here.
    fn skip_dollar_quoted(&mut self) -> bool {
        let start = self.at;
        let mut at = start + 1;
        if is_word_start(self.byte(at)) {
            while is_word(self.byte(at)) && self.byte(at) != b'$' {
                at += 1;
            }
        }
        if self.byte(at) != b'$' {
            return false;
        }
        at += 1;
        let tag = self.bytes.get(start..at).unwrap_or_default();
        let body = self.bytes.get(at..).unwrap_or_default();
        self.at = memchr::memmem::find(body, tag).map_or(self.bytes.len(), |found| at + found + tag.len());
        true
    }

    fn skip_number(&mut self) {
        self.skip_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'));
        let exponent = matches!(self.byte(self.at.saturating_sub(1)), b'e' | b'E');
        if exponent && matches!(self.ahead(0), b'+' | b'-') && self.ahead(1).is_ascii_digit() {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
    }

    fn operator(&mut self) -> Kind {
        while !self.end() && is_operator(self.ahead(0)) {
            if matches!((self.ahead(0), self.ahead(1)), (b'-', b'-') | (b'/', b'*')) {
                break;
            }
            self.at += 1;
        }
        Kind::Operator
    }

    fn word(&mut self) -> Kind {
        let quote = match (self.ahead(0), self.ahead(1), self.ahead(2)) {
            (b'e' | b'E', b'\'', _) => Some((1, true)),
            (b'b' | b'B' | b'x' | b'X' | b'n' | b'N', b'\'', _) => Some((1, false)),
            (b'u' | b'U', b'&', b'\'') => Some((2, false)),
            (b'u' | b'U', b'&', b'"') => {
                self.at += 2;
                self.skip_quoted_identifier();
                return Kind::Operand;
            }
            _ => None,
        };
        if let Some((prefix, backslash)) = quote {
            self.at += prefix;
            self.skip_string(backslash);
            return Kind::Operand;
        }
        self.skip_while(is_word);
        Kind::Word
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blank();
        if self.end() {
            return None;
        }
        let start = self.at;
        let kind = match (self.ahead(0), self.ahead(1)) {
            (b'\'', _) => {
                self.skip_string(false);
                Kind::Operand
            }
            (b'"', _) => {
                self.skip_quoted_identifier();
                Kind::Operand
            }
            (b'$', digit) if digit.is_ascii_digit() => {
                self.at += 1;
                self.skip_while(|byte| byte.is_ascii_digit());
                Kind::Operand
            }
            (b'$', _) if self.skip_dollar_quoted() => Kind::Operand,
            (byte, _) if byte.is_ascii_digit() => {
                self.skip_number();
                Kind::Operand
            }
            (b'.', digit) if digit.is_ascii_digit() => {
                self.skip_number();
                Kind::Operand
            }
            (byte, _) if is_word_start(byte) => self.word(),
            (byte, _) if is_operator(byte) => self.operator(),
            (byte, _) => {
                self.at += 1;
                match byte {
                    b'(' | b'[' => Kind::Open,
                    b')' | b']' => Kind::Close,
                    b',' => Kind::Comma,
                    b';' => Kind::Semicolon,
                    b'.' => Kind::Dot,
                    _ => Kind::Other,
                }
            }
        };
        // A backslash at the very end may step over it.
        self.at = self.at.min(self.bytes.len());
        Some(Token { kind, start, end: self.at })
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

const fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

const fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

const fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!'
            | b'@'
            | b'#'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'<'
            | b'>'
            | b'='
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<&str> {
        Lexer::new(text).map(|token| &text[token.start..token.end]).collect()
    }

    #[test]
    fn strings_end_where_the_server_ends_them() {
        for (text, expected) in [
            (r"select 'a\' ( 'b'", vec!["select", r"'a\'", "(", "'b'"]),
            (r"e'a\' (' )", vec![r"e'a\' ('", ")"]),
            ("e'a'\n  '\\' (' )", vec!["e'a'\n  '\\' ('", ")"]),
            ("'a' '(' )", vec!["'a'", "'('", ")"]),
            ("'a''(' )", vec!["'a''('", ")"]),
            ("$$ ( $$ )", vec!["$$ ( $$", ")"]),
            ("$a$ $$ ( $b$ $a$ )", vec!["$a$ $$ ( $b$ $a$", ")"]),
            ("a$$( $$", vec!["a$$", "(", "$$"]),
            ("$1$$($$", vec!["$1", "$$($$"]),
            ("u&'(' U&\"(\" b'(' \"a\"\"(\"", vec!["u&'('", "U&\"(\"", "b'('", "\"a\"\"(\""]),
            ("/* ( /* ( */ ( */ ) -- (\n]", vec![")", "]"]),
            ("1.5e-3+.5 a.b::c", vec!["1.5e-3", "+", ".5", "a", ".", "b", ":", ":", "c"]),
            ("a+-- (\n b", vec!["a", "+", "b"]),
            ("a*/*(*/b", vec!["a", "*", "b"]),
            ("e'\\", vec!["e'\\"]),
        ] {
            assert_eq!(tokens(text), expected, "{text}");
        }
    }
}
