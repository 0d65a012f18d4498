//! Names: which are good, and which known one was meant.

/// The known name that `written` most likely means: at most a third of its letters differ, and never all.
pub(in crate::policy) fn nearest<'k>(
    written: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<String> {
    let most = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(written, name), name))
        .filter(|(distance, name)| *distance <= most && *distance < name.chars().count())
        .min()
        .map(|(_, name)| name.to_owned())
}

/// Whether `name` can be the name of a group, role or principal.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= MOST_LETTERS
        && name.trim() == name
        && !name.chars().any(|letter| letter.is_control() || letter == '*')
}

/// Letters to add, drop or change, case aside (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let letters =
        |text: &str| text.chars().flat_map(char::to_lowercase).take(MOST_LETTERS).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, from) in a.iter().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        let mut next = vec![left];
        for (to, above) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Longest name of a group, role or principal.
const MOST_LETTERS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_letters() {
        for (a, b, letters) in
            [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("Ada", "ada", 0)]
        {
            assert_eq!(distance(a, b), letters, "{a} {b}");
        }
    }

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        assert_eq!(nearest("selct", ["explain", "select"]).as_deref(), Some("select"));
        assert_eq!(nearest("develpers", ["admins", "developers"]).as_deref(), Some("developers"));
        assert_eq!(nearest("finance", ["admins", "developers"]), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
