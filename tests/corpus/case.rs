//! The format of `tests/corpus/postgres/*.txt` (described in the README beside them).

use std::{fs, path::Path};

use super::expect::Want;

/// One batch and what is expected of it.
pub(crate) struct Case {
    /// File and line of its first line.
    pub(crate) place: String,
    /// Changes of the context: key and value.
    pub(crate) context: Vec<(String, String)>,
    pub(crate) sql: String,
    /// One for each statement.
    pub(crate) wants: Vec<Want>,
}

/// All cases of a folder, in the order of the files' names.
pub(crate) fn cases(folder: &Path) -> Vec<Case> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .flat_map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            of_text(name, &fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn of_text(file: &str, text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut block: Vec<(usize, &str)> = Vec::new();
    for (number, line) in text.lines().enumerate().chain([(0, "")]) {
        if line.is_empty() {
            cases.extend(of_block(file, &block));
            block.clear();
        } else {
            block.push((number + 1, line));
        }
    }
    cases
}

fn of_block(file: &str, block: &[(usize, &str)]) -> Option<Case> {
    let head = block.iter().take_while(|(_, line)| line.starts_with(['#', '@'])).count();
    let (head, body) = block.split_at(head);
    let (first, _) = body.first()?;
    let place = format!("{file}:{first}");
    let (wants, sql): (Vec<_>, Vec<_>) =
        body.iter().map(|(_, line)| *line).partition(|line| line.starts_with("=>"));
    assert!(!wants.is_empty() && !sql.is_empty(), "{place}: a block has SQL and then `=>` lines");
    let context = head
        .iter()
        .filter_map(|(_, line)| line.strip_prefix('@'))
        .flat_map(|line| line.split_whitespace())
        .map(|change| {
            let (key, value) = change.split_once('=').unwrap_or_else(|| panic!("{place}: {change}"));
            (key.to_owned(), value.to_owned())
        })
        .collect();
    let wants = wants.iter().map(|line| Want::parse(&line[2..], &place)).collect();
    Some(Case { place, context, sql: sql.join("\n"), wants })
}
