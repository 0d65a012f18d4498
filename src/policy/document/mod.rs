//! The policy files: YAML in, a checked [`Policy`](super::Policy) or a list of problems out.

mod compile;
mod format;
mod names;
mod read;
mod roles;

pub use compile::{PolicyFile, parse};
pub(super) use names::nearest;
pub(super) use read::{locate, read};
pub(super) use roles::permissions;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixture::{ACCESS, PEOPLE, file};

    fn problems(text: &str) -> Vec<String> {
        let problems = parse(&[file("p.yaml", text)]).map(|policy| format!("{policy:?}")).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_shipped_policy_is_good() {
        let policy = parse(&[file("people.yaml", PEOPLE), file("access.yaml", ACCESS)]).unwrap();
        assert_eq!(policy.standing.len(), 3);
        assert_eq!(policy.roles.get("maintainer").unwrap().to_string(), "select, dml");
        let ids: Vec<_> = policy.standing.iter().map(|grant| grant.id.to_string()).collect();
        assert_eq!(
            ids,
            ["standing:developers/0", "standing:admins/0", "standing:principal:payroll-report/0"]
        );
        assert_eq!(policy.standing.first().unwrap().reason, "everybody may look at plans (access.yaml:7)");
    }

    #[test]
    fn the_examples_of_the_reference_are_good() {
        let reference = include_str!("../../../docs/policy.md");
        let mut blocks = 0;
        for block in reference.split("```yaml\n").skip(1) {
            let text = block.split("```").next().unwrap();
            assert_eq!(parse(&[file("docs/policy.md", text)]).map(drop), Ok(()), "{text}");
            blocks += 1;
        }
        assert_eq!(blocks, 6);
    }

    #[test]
    fn the_order_of_files_does_not_matter_for_names() {
        assert!(parse(&[file("access.yaml", ACCESS), file("people.yaml", PEOPLE)]).is_ok());
    }

    #[test]
    fn a_file_of_comments_says_nothing() {
        assert_eq!(parse(&[file("p.yaml", "# nothing\n"), file("q.yaml", "")]).unwrap(), Default::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        assert_eq!(
            problems("groups: {}\nstandng: []\n"),
            ["p.yaml:2:1: unknown key \"standng\": write \"standing\""]
        );
        assert_eq!(
            problems("principals:\n  dana: { group: [] }\n"),
            ["p.yaml:2:11: unknown key \"group\": write \"groups\""]
        );
    }

    #[test]
    fn a_missing_key_is_refused() {
        assert_eq!(
            problems("ceilings:\n  - environment: prod\n"),
            ["p.yaml:2:5: key \"forbid\" is missing: add it to this entry"]
        );
    }

    #[test]
    fn unknown_names_are_refused_where_they_stand() {
        let text = "\
groups: { developers: {} }
principals:
  dana: { groups: [develpers] }
standing:
  - { to: { group: finance }, target: hr, database: d, objects: [\"*\"], permissions: [selct] }
ceilings:
  - { environment: prod, forbid: [write], except: { groups: [dbas] } }
";
        assert_eq!(
            problems(text),
            [
                "p.yaml:3:20: unknown group \"develpers\": write \"developers\"",
                "p.yaml:5:20: unknown group \"finance\": write one of developers",
                "p.yaml:5:86: unknown permission or role \"selct\": write \"select\"",
                "p.yaml:7:35: unknown permission or role \"write\": write one of explain, select, export, dml, ddl, admin",
                "p.yaml:7:62: unknown group \"dbas\": write one of developers",
            ]
        );
    }

    #[test]
    fn bad_patterns_are_refused_with_what_to_write() {
        let text = "\
standing:
  - { to: { principal: dana }, target: hr/hr_prod, database: \"\", objects: [employee, a.b], permissions: [] }
routines:
  - { target: \"*\", allow: [\"public.*\", \"f()\", a.b, \"operator <->\"] }
";
        assert_eq!(
            problems(text),
            [
                "p.yaml:2:40: bad target \"hr/hr_prod\": write a name, or a pattern in which * stands for any letters",
                "p.yaml:2:62: bad database \"\": write a name, or a pattern in which * stands for any letters",
                "p.yaml:2:76: bad object pattern \"employee\": write \"*\" or \"schema.table\", for example \"public.employee\" or \"public.*\"",
                "p.yaml:2:105: permissions is empty: write at least one permission",
                "p.yaml:4:28: bad routine \"public.*\": write its exact name without arguments, for example \"similarity\" or \"public.similarity\"",
                "p.yaml:4:40: bad routine \"f()\": write its exact name without arguments, for example \"similarity\" or \"public.similarity\"",
            ]
        );
    }

    #[test]
    fn the_same_name_twice_is_refused_within_and_across_files() {
        let within = problems("principals:\n  dana: {}\n  dana: {}\n");
        assert_eq!(within, ["p.yaml:3:3: key \"dana\" stands here twice: keep one"]);
        let across = parse(&[
            file("a.yaml", "principals: { dana: { certificates: [\"email:d@x\"] } }"),
            file("b.yaml", "principals:\n  dana:\n  sam: { certificates: [\"email:d@x\", \"d@x\"] }"),
        ])
        .unwrap_err();
        let across: Vec<_> = across.iter().map(ToString::to_string).collect();
        assert_eq!(
            across,
            [
                "b.yaml:2:3: principal \"dana\" stands here twice (first in a.yaml:1): keep one",
                "b.yaml:3:25: certificate \"email:d@x\" stands here twice (first in a.yaml:1): keep one",
                "b.yaml:3:38: bad certificate \"d@x\": write \"email:…\", \"dns:…\", \"uri:…\" or the whole subject (\"CN=dana,O=Example\")",
            ]
        );
    }

    #[test]
    fn a_role_cycle_is_refused_and_a_chain_is_not() {
        assert_eq!(
            problems("roles:\n  a: [b]\n  b: [c, select]\n  c: [a]\n  select: [dml]\n"),
            [
                "p.yaml:5:3: bad role \"select\": write a name that is no permission",
                "p.yaml:2:3: role \"a\" contains itself (a → b → c → a): take one of them out",
            ]
        );
        let chain = parse(&[file("p.yaml", "roles: { a: [b], b: [c, dml], c: [select] }")]).unwrap();
        assert_eq!(chain.roles.get("a").unwrap().to_string(), "select, dml");
    }

    #[test]
    fn a_grant_to_nobody_or_to_two_is_refused() {
        let entry = |to: &str| {
            format!(
                "groups: {{ g: {{}} }}\nstanding:\n  - {{ to: {to}, target: t, database: d, objects: [\"*\"], permissions: [dml] }}"
            )
        };
        for to in ["{}", "{ group: g, principal: p }"] {
            assert!(problems(&entry(to)).join("").contains("either \"group: NAME\" or \"principal: NAME\""));
        }
        assert!(parse(&[file("p.yaml", &entry("{ group: g }"))]).is_ok());
    }

    #[test]
    fn broken_yaml_names_its_place() {
        let found = problems("groups:\n  a: {\n");
        assert_eq!(found, ["p.yaml:2:6: unclosed bracket '{'"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_does_not_make_the_others_look_wrong() {
        let found = parse(&[
            file("a.yaml", "groups: { developers: { colour: red } }"),
            file("b.yaml", "principals: { dana: { groups: [developers] } }"),
        ])
        .unwrap_err();
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn size_depth_and_aliases_are_bounded() {
        let huge = format!("# {}\n", "x".repeat(4 * 1024 * 1024));
        assert!(problems(&huge).join("").contains("the file is over the limit of 4194304"));
        let deep = format!("groups: {}{}", "{a: ".repeat(5000), "}".repeat(5000));
        assert_eq!(problems(&deep).len(), 1);
        let aliases = |count: usize| {
            let uses: String = (0..count).map(|number| format!("  r{number}: *a\n")).collect();
            format!("roles:\n  a: &a [select]\n{uses}")
        };
        assert!(parse(&[file("p.yaml", &aliases(1000))]).is_ok());
        let found = problems(&aliases(1001));
        assert!(found.join("").contains("too repetitive: "), "{found:?}");
    }
}
