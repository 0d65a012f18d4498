//! The database that the corpus speaks of.

use std::{collections::BTreeSet, sync::Arc};

use tidegate::model::{
    catalog::Catalog,
    ids::{DatabaseName, Ident},
    name_context::{NameContext, SearchPath},
};

const RELATIONS: &[(&str, &[&str])] = &[
    (
        "public",
        &[
            "employee",
            "Employee",
            "salary",
            "Salary",
            "title",
            "department",
            "orders",
            "rewrites",
            "v_employee",
            "mv_salary",
            "employee_id_seq",
            "employee_pkey",
            "mood",
            "employee_type",
            "select",
            "Émployee",
            "naïve table",
            "a.b",
            "quo\"te",
            "salary\u{a0}x",
            "employee_name_that_is_longer_than_the_sixty_three_bytes_that_ar",
            "pg_stat_statements",
        ],
    ),
    ("archive", &["employee", "orders", "log_id_seq", "employee_idx"]),
    ("Mixed", &["Thing"]),
    ("shadow", &["pg_class"]),
];

const ROUTINES: &[(&str, &[&str])] = &[
    (
        "public",
        &["hr_full_name", "hr_rows", "hr_sum", "hr_check", "hr_row_name", "hr_diff", "date_part", "citext"],
    ),
    ("shadow", &["lower"]),
];

/// The context of a case that changes nothing.
pub(crate) fn context() -> NameContext {
    NameContext {
        database: DatabaseName::from("hr_prod"),
        server_version: 18,
        search_path: path("$user,public"),
        accounts: ["tidegate_read", "tidegate_write", "tidegate_admin"].map(Ident::from).into(),
        temporary: Arc::default(),
        made: Arc::default(),
        catalog: Some(Arc::new(catalog(RELATIONS, ROUTINES))),
        mysql: None,
    }
}

/// The same with the changes of a case.
pub(crate) fn changed(changes: &[(String, String)]) -> NameContext {
    let mut context = context();
    for (key, value) in changes {
        match (key.as_str(), value.as_str()) {
            ("path", "?") => context.search_path = SearchPath::Unknown,
            ("path", list) => context.search_path = path(list),
            ("temporary", list) => context.temporary = Arc::new(list.split(',').map(Ident::from).collect()),
            ("made", list) => context.made = Arc::new(list.split(',').map(Ident::from).collect()),
            ("accounts", list) => context.accounts = list.split(',').map(Ident::from).collect(),
            ("catalog", "none") => context.catalog = None,
            ("server", version) => context.server_version = version.parse().unwrap(),
            _ => panic!("@ {key}={value} means nothing"),
        }
    }
    context
}

/// What the stock clients of the shared corpus find.
pub(crate) fn of_clients() -> NameContext {
    let relations: &[(&str, &[&str])] = &[
        (
            "public",
            &[
                "customers",
                "orders",
                "scratch",
                "big",
                "types_t",
                "events",
                "events_2024",
                "events_2025",
                "Weird Table",
                "order_status",
            ],
        ),
        ("aux", &["notes"]),
    ];
    NameContext { catalog: Some(Arc::new(catalog(relations, &[]))), ..context() }
}

/// A database of which nothing is known.
pub(crate) fn unknown() -> NameContext {
    NameContext { catalog: None, ..context() }
}

fn path(list: &str) -> SearchPath {
    let entries = list.split(',').filter(|entry| !entry.is_empty());
    SearchPath::Known(entries.map(|entry| Ident::from(entry.trim_matches('"'))).collect())
}

fn catalog(relations: &[(&str, &[&str])], routines: &[(&str, &[&str])]) -> Catalog {
    let mut catalog = Catalog { version: 1, ..Catalog::default() };
    catalog.schemas = ["pg_catalog", "information_schema", "pg_toast"].map(Ident::from).into();
    for (schema, names) in relations {
        catalog.schemas.insert((*schema).into());
        for name in *names {
            catalog.relations.entry((*name).into()).or_default().insert((*schema).into());
        }
    }
    for (schema, names) in routines {
        for name in *names {
            catalog.routines.entry((*name).into()).or_default().insert((*schema).into());
        }
    }
    catalog.row_routines = BTreeSet::from(["hr_row_name".into()]);
    catalog.operators = BTreeSet::from(["<#>".into()]);
    catalog.code_types = BTreeSet::from(["citext".into()]);
    catalog
}
