//! Several files to one policy: merged, every name looked up, every pattern read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{
    grant::{Grant, GrantName, Holder},
    ids::{GroupName, Ident, RoleName},
    object::{Glob, ObjectPattern},
    permission::{Permission, PermissionSet},
    window::Window,
};
use crate::policy::{
    error::{PolicyProblem, ProblemKind},
    rules::{Ceiling, GROUP_SCOPES, Group, Policy, PolicyPrincipal, RoutineRule},
};

use super::{
    format::{CeilingEntry, Document, PrincipalEntry, RoutineEntry, StandingEntry, Text, ToEntry},
    names::{is_name, nearest},
    read::{locate, read},
    roles::{self, Written},
};
use serde_saphyr::Spanned;

/// One file of the policy directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFile {
    /// Its path, as problems shall name it.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// Reads and merges the files of a policy.
///
/// The order of the files does not matter for what is allowed; it is the order in which standing grants are
/// numbered.
///
/// # Errors
/// Everything that is wrong, in the order of the files; of a file that cannot be read only the first thing, and
/// then nothing of what the files say of one another.
pub fn parse(files: &[PolicyFile]) -> Result<Policy, Vec<PolicyProblem>> {
    let (documents, problems): (Vec<_>, Vec<_>) = files
        .iter()
        .map(|file| read::<Document>(file).map(|document| (file, document)))
        .partition(Result::is_ok);
    let problems: Vec<_> = problems.into_iter().filter_map(Result::err).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let documents: Vec<_> = documents.into_iter().filter_map(Result::ok).collect();
    let mut compiler = Compiler::default();
    compiler.declare(&documents);
    for (file, document) in &documents {
        compiler.define(file, document);
    }
    if compiler.problems.is_empty() { Ok(compiler.policy) } else { Err(compiler.problems) }
}

#[derive(Default)]
pub(super) struct Compiler {
    pub(super) policy: Policy,
    /// Where each certificate stood first.
    certificates: HashMap<String, String>,
    /// How many standing grants each holder has.
    standing: HashMap<Holder, usize>,
    /// Where each flow and each risk rule stood first.
    pub(super) named: HashMap<(&'static str, String), String>,
    pub(super) problems: Vec<PolicyProblem>,
}

impl Compiler {
    /// Takes in what others refer to: groups, roles and the names of principals.
    fn declare(&mut self, documents: &[(&PolicyFile, Document)]) {
        let mut first: HashMap<(&str, &str), String> = HashMap::new();
        let mut written: BTreeMap<RoleName, Written<'_>> = BTreeMap::new();
        for (file, document) in documents {
            for (name, entry) in &document.groups.0 {
                if self.declares(file, "group", name, &mut first) {
                    let description = entry.as_ref().map(|entry| entry.description.clone());
                    let scopes = entry.as_ref().map(|entry| self.scopes(file, &entry.scopes));
                    let group = Group {
                        description: description.unwrap_or_default(),
                        scopes: scopes.unwrap_or_default(),
                    };
                    self.policy.groups.insert(name.value.as_str().into(), group);
                }
            }
            for (name, _) in &document.principals.0 {
                if self.declares(file, "principal", name, &mut first) {
                    self.policy.principals.insert(name.value.as_str().into(), PolicyPrincipal::default());
                }
            }
            for (name, members) in &document.roles.0 {
                if name.value.parse::<Permission>().is_ok() {
                    self.report(file, name, bad("role", &name.value, "a name that is no permission"));
                } else if self.declares(file, "role", name, &mut first) {
                    written.insert(name.value.as_str().into(), Written { file, name, members });
                }
            }
        }
        self.policy.roles = roles::write_out(&written, &mut self.problems);
    }

    fn scopes(&mut self, file: &PolicyFile, words: &[Text]) -> BTreeSet<String> {
        for word in words.iter().filter(|word| !GROUP_SCOPES.contains(&word.value.as_str())) {
            let instead = "one of audit:read, grants, people, policy, read, sessions";
            self.report(file, word, bad("scope", &word.value, instead));
        }
        words.iter().map(|word| word.value.clone()).collect()
    }

    fn declares<'d>(
        &mut self,
        file: &PolicyFile,
        what: &'static str,
        name: &'d Text,
        first: &mut HashMap<(&'static str, &'d str), String>,
    ) -> bool {
        // Standing grants are called by their holder: a group's name must not look like a principal's.
        if !is_name(&name.value) || (what == "group" && name.value.contains(':')) {
            self.report(file, name, bad(what, &name.value, NAME));
            return false;
        }
        let here = place(file, name);
        if let Some(before) = first.insert((what, &name.value), here) {
            self.report(file, name, twice(what, &name.value, before));
            return false;
        }
        true
    }

    fn define(&mut self, file: &PolicyFile, document: &Document) {
        for (name, entry) in &document.principals.0 {
            if let Some(entry) = entry {
                self.principal(file, name, entry);
            }
        }
        for entry in &document.standing {
            self.standing(file, entry);
        }
        for entry in &document.ceilings {
            self.ceiling(file, &entry.value);
        }
        for entry in &document.routines {
            self.routines(file, &entry.value);
        }
        for entry in &document.limits {
            self.bounds(file, entry);
        }
        self.requests(file, document);
    }

    fn principal(&mut self, file: &PolicyFile, name: &Text, entry: &PrincipalEntry) {
        let groups = self.groups(file, &entry.groups);
        let mut certificates = BTreeSet::new();
        for certificate in &entry.certificates {
            let text = &certificate.value;
            let is_good = ["email:", "dns:", "uri:"]
                .iter()
                .any(|kind| text.strip_prefix(kind).is_some_and(|rest| !rest.is_empty()))
                || text.contains('=');
            if !is_good {
                self.report(file, certificate, bad("certificate", text, CERTIFICATE));
            } else if let Some(before) = self.certificates.insert(text.clone(), place(file, certificate)) {
                self.report(file, certificate, twice("certificate", text, before));
            } else {
                certificates.insert(text.clone());
            }
        }
        let principal = PolicyPrincipal {
            groups,
            attributes: entry.attributes.clone(),
            certificates,
            disabled: entry.disabled,
        };
        self.policy.principals.insert(name.value.as_str().into(), principal);
    }

    fn standing(&mut self, file: &PolicyFile, entry: &Spanned<StandingEntry>) {
        let StandingEntry { to, target, database, objects, permissions, reason } = &entry.value;
        let holder = self.holder(file, to);
        let target = self.glob(file, "target", target);
        let database = self.glob(file, "database", database);
        let objects = self.objects(file, objects);
        let permissions = self.permissions(file, "permissions", permissions);
        let (Some(holder), Some(target), Some(database)) = (holder, target, database) else { return };
        let number = self.standing.entry(holder.clone()).or_default();
        let id = match &holder {
            Holder::Group(group) => format!("standing:{group}/{number}"),
            Holder::Principal(principal) => format!("standing:principal:{principal}/{number}"),
        };
        *number += 1;
        let place = place(file, entry);
        let reason = if reason.is_empty() { place } else { format!("{reason} ({place})") };
        self.policy.standing.push(Grant {
            id: GrantName::Standing(id),
            holder,
            target,
            database,
            objects,
            permissions,
            window: Window::STANDING,
            reason,
            revoked_at: None,
        });
    }

    fn ceiling(&mut self, file: &PolicyFile, entry: &CeilingEntry) {
        let environment = self.glob(file, "environment", &entry.environment);
        let forbid = self.permissions(file, "forbid", &entry.forbid);
        let except = self.groups(file, &entry.except.groups);
        if let Some(environment) = environment {
            self.policy.ceilings.push(Ceiling { environment, forbid, except });
        }
    }

    fn routines(&mut self, file: &PolicyFile, entry: &RoutineEntry) {
        let target = self.glob(file, "target", &entry.target);
        let mut allow: BTreeSet<Ident> = BTreeSet::new();
        for name in &entry.allow.value {
            if is_routine(&name.value) {
                allow.insert(name.value.as_str().into());
            } else {
                self.report(file, name, bad("routine", &name.value, ROUTINE));
            }
        }
        if let Some(target) = target {
            self.policy.routines.push(RoutineRule { target, allow });
        }
    }

    pub(super) fn holder(&mut self, file: &PolicyFile, to: &Spanned<ToEntry>) -> Option<Holder> {
        match (&to.value.group, &to.value.principal) {
            (Some(group), None) => self.group(file, group).map(Holder::Group),
            (None, Some(principal)) if is_name(&principal.value) => {
                Some(Holder::Principal(principal.value.as_str().into()))
            }
            (None, Some(principal)) => {
                self.report(file, principal, bad("principal", &principal.value, "the name of a principal"));
                None
            }
            (Some(_), Some(_)) | (None, None) => {
                self.report(file, to, bad("holder", "to", "either \"group: NAME\" or \"principal: NAME\""));
                None
            }
        }
    }

    pub(super) fn groups(&mut self, file: &PolicyFile, names: &[Text]) -> BTreeSet<GroupName> {
        names.iter().filter_map(|name| self.group(file, name)).collect()
    }

    fn group(&mut self, file: &PolicyFile, name: &Text) -> Option<GroupName> {
        if self.policy.groups.contains_key(name.value.as_str()) {
            return Some(name.value.as_str().into());
        }
        let known = || self.policy.groups.keys().map(GroupName::as_str);
        let kind = ProblemKind::UnknownName {
            what: "group",
            name: name.value.clone(),
            nearest: nearest(&name.value, known()),
            known: known().take(MOST_SHOWN).map(str::to_owned).collect(),
        };
        self.report(file, name, kind);
        None
    }

    pub(super) fn permissions(
        &mut self,
        file: &PolicyFile,
        what: &'static str,
        words: &Spanned<Vec<Text>>,
    ) -> PermissionSet {
        if words.value.is_empty() {
            self.report(file, words, ProblemKind::Empty { what, instead: "at least one permission" });
        }
        roles::permissions(file, &words.value, &self.policy.roles, &mut self.problems)
    }

    fn objects(&mut self, file: &PolicyFile, patterns: &Spanned<Vec<Text>>) -> Vec<ObjectPattern> {
        if patterns.value.is_empty() {
            self.report(file, patterns, ProblemKind::Empty { what: "objects", instead: OBJECTS });
        }
        let mut objects = Vec::new();
        for pattern in &patterns.value {
            match pattern.value.parse() {
                Ok(object) => objects.push(object),
                Err(_) => self.report(file, pattern, bad("object pattern", &pattern.value, OBJECTS)),
            }
        }
        objects
    }

    pub(super) fn glob(&mut self, file: &PolicyFile, what: &'static str, pattern: &Text) -> Option<Glob> {
        let text = &pattern.value;
        let is_bad = text.trim() != text
            || text.is_empty()
            || text.chars().any(char::is_control)
            || (what == "target" && text.contains('/'));
        if is_bad {
            self.report(
                file,
                pattern,
                bad(what, text, "a name, or a pattern in which * stands for any letters"),
            );
            return None;
        }
        Some(Glob::new(text))
    }

    pub(super) fn report<T>(&mut self, file: &PolicyFile, at: &Spanned<T>, kind: ProblemKind) {
        self.problems.push(locate(file, at).problem(kind));
    }
}

/// "f", "schema.f" or "operator <->"; no patterns, because a pattern would take in what is created later.
fn is_routine(name: &str) -> bool {
    if let Some(operator) = name.strip_prefix("operator ") {
        return !operator.trim().is_empty();
    }
    let parts: Vec<_> = name.split('.').collect();
    parts.len() <= 2
        && parts.iter().all(|part| {
            !part.is_empty() && !part.chars().any(|letter| letter.is_control() || "*() ".contains(letter))
        })
}

pub(super) fn bad(what: &'static str, text: &str, instead: &'static str) -> ProblemKind {
    ProblemKind::BadText { what, text: text.to_owned(), instead }
}

pub(super) fn twice(what: &'static str, name: &str, before: String) -> ProblemKind {
    ProblemKind::Duplicate { what, name: name.to_owned(), first: Some(before) }
}

pub(super) fn place<T>(file: &PolicyFile, value: &Spanned<T>) -> String {
    let at = locate(file, value);
    format!("{}:{}", at.path, at.line)
}

const NAME: &str = "a name of 1 to 128 letters without \"*\" or \":\"";
const OBJECTS: &str = "\"*\" or \"schema.table\", for example \"public.employee\" or \"public.*\"";
const ROUTINE: &str = "its exact name without arguments, for example \"similarity\" or \"public.similarity\"";
const CERTIFICATE: &str = "\"email:…\", \"dns:…\", \"uri:…\" or the whole subject (\"CN=dana,O=Example\")";
const MOST_SHOWN: usize = 20;

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
        assert_eq!(blocks, 8);
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
    fn a_group_is_given_scopes_of_the_api_but_never_those_of_services() {
        let policy = parse(&[file("p.yaml", "groups: { leads: { scopes: [read, sessions] } }\n")]).unwrap();
        let scopes = |name: &str| policy.groups.get(name).unwrap().scopes.iter().cloned().collect::<Vec<_>>();
        assert_eq!(scopes("leads"), ["read", "sessions"]);
        assert_eq!(
            problems("groups: { leads: { scopes: [read, admin] } }\n"),
            [
                "p.yaml:1:35: bad scope \"admin\": write one of audit:read, grants, people, policy, read, sessions"
            ]
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
  - { to: { principal: dana }, target: hr/hr_prod, database: \"\", objects: [a.b.c, a.b], permissions: [] }
routines:
  - { target: \"*\", allow: [\"public.*\", \"f()\", a.b, \"operator <->\"] }
";
        assert_eq!(
            problems(text),
            [
                "p.yaml:2:40: bad target \"hr/hr_prod\": write a name, or a pattern in which * stands for any letters",
                "p.yaml:2:62: bad database \"\": write a name, or a pattern in which * stands for any letters",
                "p.yaml:2:76: bad object pattern \"a.b.c\": write \"*\" or \"schema.table\", for example \"public.employee\" or \"public.*\"",
                "p.yaml:2:102: permissions is empty: write at least one permission",
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
    fn a_name_that_could_be_taken_for_another_is_refused() {
        let found = problems(
            "groups: { \"principal:dana\": {}, \"dev*\": {} }\nprincipals: { \" dana\": {}, \"svc:a\": {} }",
        );
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found
                .join("")
                .contains("p.yaml:1:11: bad group \"principal:dana\": write a name of 1 to 128 letters")
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
        assert!(found.join("").contains("too many values, levels or aliases"), "{found:?}");
    }
}
