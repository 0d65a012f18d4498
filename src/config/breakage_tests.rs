//! Breaks a configuration that has every key, key by key, and looks at what the error names.
//!
//! The configuration is made from the schema, so that no key can be forgotten here. Its words mean nothing; what is looked
//! at is told before anything is meant.

use serde_json::Value;

use super::{
    error::{ConfigError, Problem},
    load, schema,
};

/// A line of the configuration.
struct Line {
    /// What stands before its key.
    indent: String,
    key: String,
    /// Empty above a block.
    value: String,
}

/// Every key, each on a line of its own.
fn full() -> Vec<Line> {
    let mut lines = Vec::new();
    block(&schema(), "", "", &mut lines);
    assert!(lines.len() > 90, "only {} lines", lines.len());
    lines
}

/// The keys of a mapping; `first` stands before the first of them.
fn block(shape: &Value, first: &str, indent: &str, lines: &mut Vec<Line>) {
    let mut before = first;
    for (key, shape) in shape["properties"].as_object().into_iter().flatten() {
        let line =
            |value: &str| Line { indent: before.to_owned(), key: key.clone(), value: value.to_owned() };
        let inner = format!("{indent}  ");
        let items = &shape["items"];
        match shape["type"].as_str() {
            Some("object") if shape.get("properties").is_some() => {
                lines.push(line(""));
                block(shape, &inner, &inner, lines);
            }
            Some("array") if items.get("properties").is_some() => {
                lines.push(line(""));
                block(items, &format!("{inner}- "), &format!("{inner}  "), lines);
            }
            Some("array") => {
                let word = items["enum"][0].as_str().unwrap_or("word");
                lines.push(line(&format!(" [{word}]")));
            }
            Some("boolean") => lines.push(line(" true")),
            Some("integer") => lines.push(line(" 7")),
            Some("object") => lines.push(line(" { word: word }")),
            Some("string") => lines.push(line(" word")),
            _ => match shape["enum"][0].as_str() {
                Some(word) => lines.push(line(&format!(" {word}"))),
                // Of a shape that the schema leaves open.
                None => continue,
            },
        }
        before = indent;
    }
}

/// The configuration with what stands in the place of line `number`, and what is wrong with it: line, key, problem.
fn refused(lines: &[Line], number: usize, instead: &str) -> (u64, String, Problem) {
    let text: String = lines
        .iter()
        .enumerate()
        .map(|(index, line)| match index == number {
            true => format!("{instead}\n"),
            false => format!("{}{}:{}\n", line.indent, line.key, line.value),
        })
        .collect();
    of_text(&text)
}

fn of_text(text: &str) -> (u64, String, Problem) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.yaml");
    std::fs::write(&file, text).unwrap();
    match load(&file, |_| None).unwrap_err() {
        ConfigError::Key { file: named, line, key, problem } => {
            assert_eq!(named, file);
            (line, key, *problem)
        }
        other => panic!("{other}"),
    }
}

fn place(index: usize) -> u64 {
    index as u64 + 1
}

#[test]
fn a_key_that_is_misspelled_is_named_with_its_line_and_the_right_one() {
    let lines = full();
    for (index, Line { indent, key, value }) in lines.iter().enumerate() {
        let wrong = format!("{key}x");
        let (line, named, problem) = refused(&lines, index, &format!("{indent}{wrong}:{value}"));
        assert_eq!((line, named.as_str()), (place(index), wrong.as_str()), "{problem}");
        assert!(
            matches!(problem, Problem::UnknownKey { nearest: Some(near), .. } if near == key),
            "{key}: {problem:?}"
        );
    }
}

#[test]
fn a_value_of_the_wrong_shape_is_refused_on_its_line_by_its_key() {
    let lines = full();
    for (index, Line { indent, key, value }) in lines.iter().enumerate() {
        if !value.is_empty() {
            let (line, named, problem) = refused(&lines, index, &format!("{indent}{key}: [[]]"));
            assert_eq!((line, named.as_str()), (place(index), key.as_str()), "{problem} in place of {value}");
        }
    }
}

#[test]
fn a_key_that_is_written_twice_is_named_with_its_second_line() {
    let lines = full();
    for (index, Line { indent, key, value }) in lines.iter().enumerate() {
        if !value.is_empty() {
            let again = format!("{indent}{key}:{value}\n{}{key}:{value}", indent.replace('-', " "));
            let (line, named, problem) = refused(&lines, index, &again);
            assert_eq!((line, named.as_str(), problem), (place(index) + 1, key.as_str(), Problem::Twice));
        }
    }
}

#[test]
fn in_a_block_on_one_line_the_key_is_named_and_not_the_block() {
    let (line, named, problem) = of_text(
        "data_dir: data\ntargets:\n  - name: hr\n    accounts:\n      read: { user: a, password_env: [[]] }\n",
    );
    assert_eq!((line, named.as_str()), (5, "password_env"), "{problem}");
}
