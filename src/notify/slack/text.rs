//! What people wrote, shown so that it looks as it is and commands nothing.
//!
//! Source: api.slack.com, "Formatting text for app surfaces" ("Escaping text"); Unicode Technical Report 36.

use std::fmt::Write;

/// How long Slack may take a text to be: units of UTF-16, which are never fewer than characters.
pub(super) fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The text with nothing in it that Slack reads as a mention, a link or a date, and nothing that people cannot see.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|letter| push(&mut shown, letter));
    shown
}

/// The same, cut where it would be longer than `most`; whether all of it is there.
pub(super) fn fitted(text: &str, most: usize) -> (String, bool) {
    let all = escaped(text);
    if length(&all) <= most {
        return (all, true);
    }
    let mut shown = String::new();
    for letter in text.chars() {
        let before = shown.len();
        push(&mut shown, letter);
        if length(&shown) + length(CUT) > most {
            shown.truncate(before);
            break;
        }
    }
    shown.push_str(CUT);
    (shown, false)
}

/// The text in blocks of code, none longer than `longest` with its fences; `None` if it takes more than `most` of them.
///
/// What ends a block of code early cannot be in it: between two back-ticks that follow one another stands a space of no
/// width.
pub(super) fn code_blocks(text: &str, longest: usize, most: usize) -> Option<Vec<String>> {
    let room = longest.saturating_sub(length(FENCE) * 2 + 2);
    let mut blocks = Vec::new();
    let mut block = String::new();
    for line in text.split_inclusive('\n') {
        let shown = in_code(line);
        if length(&block) + length(&shown) <= room {
            block.push_str(&shown);
            continue;
        }
        if !block.is_empty() {
            blocks.push(fenced(&block));
            block.clear();
        }
        for piece in pieces(line) {
            if length(&block) + length(&piece) > room {
                blocks.push(fenced(&block));
                block.clear();
            }
            if blocks.len() > most {
                return None;
            }
            block.push_str(&piece);
        }
    }
    if !block.is_empty() {
        blocks.push(fenced(&block));
    }
    (blocks.len() <= most).then_some(blocks)
}

fn fenced(block: &str) -> String {
    let block = block.strip_suffix('\n').unwrap_or(block);
    format!("{FENCE}\n{block}\n{FENCE}")
}

fn in_code(line: &str) -> String {
    pieces(line).collect()
}

/// One letter each, as it is shown in a block of code.
fn pieces(line: &str) -> impl Iterator<Item = String> {
    let mut before = None;
    line.chars().map(move |letter| {
        let mut shown = String::new();
        if (before, letter) == (Some('`'), '`') {
            shown.push('\u{200b}');
        }
        push(&mut shown, letter);
        before = Some(letter);
        shown
    })
}

fn push(shown: &mut String, letter: char) {
    match letter {
        '&' => shown.push_str("&amp;"),
        '<' => shown.push_str("&lt;"),
        '>' => shown.push_str("&gt;"),
        '\n' | '\t' => shown.push(letter),
        _ if is_hidden(letter) => {
            // Writing to a string cannot fail.
            let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(letter));
        }
        _ => shown.push(letter),
    }
}

/// What shows as nothing, or changes how its neighbours show: a statement must not look like another one.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

const CUT: &str = "…";
const FENCE: &str = "```";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nobody_is_mentioned_and_nothing_is_linked() {
        assert_eq!(escaped("<!channel> <@U1> a&b"), "&lt;!channel&gt; &lt;@U1&gt; a&amp;b");
        assert_eq!(escaped("a\u{202e}b\u{200b}c\u{7}"), "a⟨U+202E⟩b⟨U+200B⟩c⟨U+0007⟩");
        assert_eq!(escaped("größer\n\tlänger"), "größer\n\tlänger");
    }

    #[test]
    fn what_is_too_long_is_cut_between_letters_and_says_so() {
        assert_eq!(fitted("abc", 3), ("abc".to_owned(), true));
        assert_eq!(fitted("abcd", 3), ("ab…".to_owned(), false));
        assert_eq!(fitted("a<b", 5), ("a…".to_owned(), false), "no half entity");
    }

    #[test]
    fn a_statement_cannot_leave_its_block_of_code() {
        let blocks = code_blocks("select `a`\n```<!channel>", 3000, 1).unwrap();
        assert_eq!(blocks, ["```\nselect `a`\n`\u{200b}`\u{200b}`&lt;!channel&gt;\n```"]);
        let inside = blocks[0].strip_prefix("```\n").unwrap().strip_suffix("\n```").unwrap();
        assert!(!inside.contains("```"));
    }

    #[test]
    fn a_statement_that_takes_too_many_blocks_is_not_shown_in_part() {
        let long = "x".repeat(100);
        assert_eq!(code_blocks(&long, 58, 2).unwrap().len(), 2);
        assert_eq!(code_blocks(&long, 58, 1), None);
        assert_eq!(code_blocks(&format!("{long}y"), 58, 2), None);
    }

    proptest! {
        #[test]
        fn blocks_hold_the_whole_text_within_their_bounds(text in "([a-c`<&\n]|\u{202e}|é|😀){1,200}") {
            let blocks = code_blocks(&text, 60, 1000).unwrap();
            for block in &blocks {
                prop_assert!(length(block) <= 60, "{block}");
                prop_assert_eq!(block.matches("```").count(), 2, "{}", block);
            }
            let whole: String = blocks.iter().map(|block| &block[4..block.len() - 4]).collect();
            let flat = |text: &str| text.replace(['\n', '\u{200b}'], "");
            prop_assert_eq!(flat(&whole), flat(&escaped(&text)));
        }
    }
}
