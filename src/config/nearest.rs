//! The known word that a mistyped one was meant to be.

/// The word of `known` that takes the fewest changed letters, if a third of them or fewer.
pub(super) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (changes, word) = known
        .into_iter()
        .map(|word| {
            let changes = changes(found, word);
            let begins_alike = word.starts_with(found) || found.starts_with(word);
            (if begins_alike { changes.min(2) } else { changes }, word)
        })
        .min_by_key(|(changes, _)| *changes)?;
    (changes <= 1 + word.chars().count() / 3).then_some(word)
}

/// Letters to add, drop or replace (Levenshtein).
fn changes(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        let mut next = vec![left];
        for (cell, against) in row.iter().skip(1).zip(&other) {
            left = (diagonal + usize::from(letter != *against)).min(cell + 1).min(left + 1);
            diagonal = *cell;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_word_finds_its_neighbour_and_a_strange_one_none() {
        let known = ["listeners", "targets", "policies"];
        assert_eq!(nearest("listners", known), Some("listeners"));
        assert_eq!(nearest("target", known), Some("targets"));
        assert_eq!(nearest("colour", known), None);
        let known = ["sessions", "sessions_per_principal", "password_file"];
        assert_eq!(nearest("sessions_per_principals", known), Some("sessions_per_principal"));
        assert_eq!(nearest("password", known), Some("password_file"));
    }

    #[test]
    fn changes_counts_letters() {
        assert_eq!(changes("kitten", "sitting"), 3);
        assert_eq!(changes("", "abc"), 3);
        assert_eq!(changes("same", "same"), 0);
    }
}
