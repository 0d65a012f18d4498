//! The startup parameter `options`: command-line switches in one text.

use crate::wire::WireError;

/// Reads `-c name=value`, `-cname=value` and `--name=value`, in order; dashes in a name count as underscores.
///
/// Words end at white space; a backslash takes away the meaning of what follows it. Other switches of the server's
/// are refused: they set things that a client of a gate has no business with.
///
/// # Errors
/// `Option`.
///
/// Source: PostgreSQL manual, "Frontend/Backend Protocol", StartupMessage; "postgres", options.
pub(super) fn read_options(text: &str) -> Result<Vec<(String, String)>, WireError> {
    let mut settings = Vec::new();
    let mut words = split(text).into_iter();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") if word == "-c" => words.next(),
            Some("") | None => None,
            Some(setting) => Some(setting.to_owned()),
        };
        let Some((name, value)) = setting.as_deref().and_then(|setting| setting.split_once('=')) else {
            return Err(WireError::Option { switch: word });
        };
        if name.is_empty() {
            return Err(WireError::Option { switch: word });
        }
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut escaped = false;
    for letter in text.chars() {
        match letter {
            // The white space of the C locale.
            ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' if !escaped => words.extend(word.take()),
            '\\' if !escaped => {
                escaped = true;
                word.get_or_insert_default();
            }
            _ => {
                escaped = false;
                word.get_or_insert_default().push(letter);
            }
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        read_options(text).unwrap()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_three_spellings_of_a_setting_are_read_in_order() {
        assert_eq!(
            read("-c geqo=off  -cwork_mem=1MB --search-path=a,b"),
            [pair("geqo", "off"), pair("work_mem", "1MB"), pair("search_path", "a,b")]
        );
        assert_eq!(read(" \t\n"), []);
    }

    #[test]
    fn a_backslash_keeps_white_space_and_itself() {
        assert_eq!(
            read(r"-c application_name=a\ b\\c -c x=="),
            [pair("application_name", r"a b\c"), pair("x", "=")]
        );
        assert_eq!(read("-c x=1\\"), [pair("x", "1")]);
    }

    #[test]
    fn other_switches_and_settings_without_a_value_are_refused() {
        for text in ["-d 5", "-c", "-c x", "--", "--x", "-c =1", "geqo=off", "-e", "\\", "-S 64"] {
            assert!(matches!(read_options(text), Err(WireError::Option { .. })), "{text}");
        }
    }
}
