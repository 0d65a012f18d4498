//! The architecture law: which folder may import which. Changing the table is a commit of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folder (or file) under `src/`, and the folders that it may import.
const LAW: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("sql", &["model"]),
    ("policy", &["model"]),
    ("wire", &["model"]),
    ("net", &["model"]),
    ("config", &["model"]),
    ("store", &["model"]),
    ("metrics", &["model"]),
    ("telemetry", &["model", "net", "metrics"]),
    ("audit", &["model", "store", "metrics", "net", "telemetry"]),
    ("identity", &["model", "net"]),
    ("upstream", &["model", "policy", "audit", "wire", "net", "metrics"]),
    ("session", &["model", "sql", "policy", "wire", "net", "audit", "upstream", "metrics", "telemetry"]),
    ("control", &["model", "policy", "store", "audit", "identity", "net", "metrics"]),
    ("notify", &["control", "model", "net", "metrics"]),
    ("console", &["control", "model", "net", "wire"]),
    ("api", &["control", "model", "net", "metrics", "audit", "telemetry"]),
    (
        "app",
        &[
            "model",
            "sql",
            "policy",
            "wire",
            "net",
            "config",
            "store",
            "metrics",
            "audit",
            "identity",
            "telemetry",
            "upstream",
            "session",
            "control",
            "notify",
            "api",
            "console",
        ],
    ),
    ("cli", &["app", "api", "control", "model", "sql", "policy", "config", "audit", "net", "store"]),
];

/// Folders in which there is no async, no I/O, no clock and no logging.
const PURE: &[&str] = &["model", "sql", "policy", "wire"];

/// Words that betray the outside world.
const IMPURE: &[&str] = &[
    "tokio::",
    "std::fs",
    "std::net::Tcp",
    "std::process",
    "std::thread",
    "async fn",
    ".await",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "tracing::",
    "println!",
];

fn sources(under: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Whether a file holds nothing but unit tests.
fn is_test(file: &Path) -> bool {
    file.file_stem().is_some_and(|name| name == "tests" || name.to_str().unwrap().ends_with("_tests"))
}

fn floor_of(file: &Path) -> String {
    let inside = file.strip_prefix(root()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The code of a file, without its unit tests and comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap().to_owned();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names = rest.strip_prefix('{').map_or_else(
            || vec![word(rest)],
            |group| {
                let mut depth = 1_i32;
                let mut names = Vec::new();
                let mut start = true;
                for (at, letter) in group.char_indices() {
                    match letter {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 1 => start = true,
                        _ if start && !letter.is_whitespace() => {
                            names.push(word(&group[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
                names
            },
        );
        found.extend(names);
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn imports_only_go_down() {
    let mut broken = Vec::new();
    for file in sources(&root()) {
        let floor = floor_of(&file);
        if floor == "lib" || floor == "main" {
            continue;
        }
        let Some((_, allowed)) = LAW.iter().find(|(name, _)| *name == floor) else {
            broken.push(format!("{}: {floor} is not in the table", file.display()));
            continue;
        };
        for import in imports(&code(&file)) {
            if import != floor && !allowed.contains(&import.as_str()) {
                broken.push(format!("{}: {floor} may not import {import}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_pure_folders_touch_nothing_outside() {
    let mut broken = Vec::new();
    for file in sources(&root()) {
        if PURE.contains(&floor_of(&file).as_str()) && !is_test(&file) {
            let code = code(&file);
            for word in IMPURE {
                if code.contains(word) {
                    broken.push(format!("{}: {word}", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_file_is_over_600_lines() {
    let mut long = Vec::new();
    for file in sources(&root()) {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.split("\n#[cfg(test)]\nmod tests").next().unwrap().lines().count();
        if lines > 600 {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_law_sees_what_it_forbids() {
    assert_eq!(imports("use crate::{model::ids, store::{Store, rows}};"), ["model", "store"]);
    assert_eq!(imports("crate::session::run()"), ["session"]);
}
