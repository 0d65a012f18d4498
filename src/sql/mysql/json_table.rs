//! JSON_TABLE.

use super::{
    parser::{Parsed, Parser},
    token::Kind,
};

impl Parser<'_> {
    /// `JSON_TABLE(document, path COLUMNS (…))`, without its alias.
    pub(super) fn json_table(&mut self) -> Parsed<()> {
        self.expect_word("JSON_TABLE")?;
        self.in_brackets(|parser| {
            parser.expression()?;
            parser.expect_symbol(",")?;
            parser.text()?;
            parser.json_columns()
        })
    }

    fn json_columns(&mut self) -> Parsed<()> {
        self.expect_word("COLUMNS")?;
        self.in_brackets(|parser| {
            loop {
                parser.json_column()?;
                if !parser.accept_symbol(",") {
                    return Ok(());
                }
            }
        })
    }

    fn json_column(&mut self) -> Parsed<()> {
        let nested = self.is_word("NESTED")
            && self.peek_at(1).is_some_and(|token| token.is_word("PATH") || token.kind == Kind::String);
        if nested {
            self.next();
            self.accept_word("PATH");
            self.text()?;
            return self.json_columns();
        }
        self.ident()?;
        if self.accept_words(&["FOR", "ORDINALITY"]) {
            return Ok(());
        }
        self.data_type()?;
        self.accept_word("EXISTS");
        self.expect_word("PATH")?;
        self.text()?;
        self.on_empty_or_error()
    }
}
