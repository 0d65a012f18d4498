//! The life before a grant: risk rules and flows.

use serde_saphyr::Spanned;

use crate::model::{
    flow::{Escalation, Step},
    lifetime::Lifetime,
    permission::Permission,
};
use crate::policy::{
    condition::{Condition, Zone},
    error::ProblemKind,
    flows::{Flow, Longest, RiskRule, TextForm},
};

use super::{
    PolicyFile,
    compile::{Compiler, bad, place, twice},
    format::{Document, Entries, FlowEntry, RiskEntry, StepEntry, Text},
    roles,
};

impl Compiler {
    /// Takes in the risk rules and flows of one file.
    pub(super) fn requests(&mut self, file: &PolicyFile, document: &Document) {
        let zone = self.zone(file, document.zone.as_ref());
        for entry in &document.risk {
            self.risk(file, &entry.value, &zone);
        }
        for entry in &document.flows {
            self.flow(file, entry, &zone);
        }
    }

    fn zone(&mut self, file: &PolicyFile, name: Option<&Text>) -> Zone {
        let Some(name) = name else { return Zone::UTC };
        Zone::named(&name.value).unwrap_or_else(|| {
            self.report(file, name, bad("time zone", &name.value, "its name, for example \"Europe/Berlin\""));
            Zone::UTC
        })
    }

    fn risk(&mut self, file: &PolicyFile, entry: &RiskEntry, zone: &Zone) {
        let is_new = self.is_new(file, "risk rule", &entry.name);
        if let Some(when) = self.condition(file, &entry.when, zone, false)
            && is_new
        {
            self.policy.risk.push(RiskRule { name: entry.name.value.clone(), level: entry.level, when });
        }
    }

    fn flow(&mut self, file: &PolicyFile, spanned: &Spanned<FlowEntry>, zone: &Zone) {
        let entry = &spanned.value;
        let before = self.problems.len();
        self.is_new(file, "flow", &entry.name);
        if let Some(problem) = conflict(entry) {
            self.report(file, spanned, ProblemKind::Conflict { problem });
        }
        let when = self.condition(file, &entry.when, zone, true);
        let steps = entry.steps.iter().map(|step| self.step(file, step)).collect();
        let denials = entry.denials.as_ref().map_or(1, |it| self.count(file, "denials", it));
        let longest = self.longest(file, &entry.longest);
        let expires_after =
            entry.expires_after.as_ref().and_then(|it| self.seconds(file, "expires_after", it));
        let escalation = entry.escalate.as_ref().and_then(|it| {
            let after_seconds = self.seconds(file, "after", &it.after);
            let to: Vec<_> = self.groups(file, &it.to.value).into_iter().collect();
            if it.to.value.is_empty() {
                self.report(file, &it.to, ProblemKind::Empty { what: "to", instead: "at least one group" });
            }
            after_seconds.map(|after_seconds| Escalation { after_seconds, to })
        });
        let reason = entry.reason.as_ref().and_then(|it| self.form(file, it));
        let ticket = entry.ticket.as_ref().and_then(|it| self.form(file, it));
        let Some(when) = when else { return };
        if self.problems.len() > before {
            return;
        }
        self.policy.flows.push(Flow {
            name: entry.name.value.clone(),
            when,
            break_glass: entry.break_glass,
            steps,
            denials,
            longest,
            expires_after: expires_after.unwrap_or(EXPIRES_AFTER),
            escalation,
            estimate: entry.estimate,
            reason,
            ticket,
        });
    }

    fn step(&mut self, file: &PolicyFile, entry: &StepEntry) -> Step {
        if entry.approvers.value.is_empty() {
            let kind = ProblemKind::Empty { what: "approvers", instead: "at least one group" };
            self.report(file, &entry.approvers, kind);
        }
        let approvers = self.groups(file, &entry.approvers.value).into_iter().collect();
        let quorum = entry.quorum.as_ref().map_or(1, |it| self.count(file, "quorum", it));
        Step { approvers, quorum }
    }

    fn longest(&mut self, file: &PolicyFile, entries: &Entries<Text>) -> Longest {
        let mut longest = Longest::default();
        for (word, text) in &entries.0 {
            let Some(seconds) = self.seconds(file, "longest", text) else { continue };
            if word.value == ANY {
                longest.any = Some(seconds);
                continue;
            }
            let words = std::slice::from_ref(word);
            let named = roles::permissions(file, words, &self.policy.roles, &mut self.problems);
            let merge = |bound: &mut i64| *bound = seconds.min(*bound);
            for permission in Permission::ALL.into_iter().filter(|it| named.contains(*it)) {
                longest.each.entry(permission).and_modify(merge).or_insert(seconds);
            }
        }
        longest
    }

    fn condition(
        &mut self,
        file: &PolicyFile,
        text: &Text,
        zone: &Zone,
        with_risk: bool,
    ) -> Option<Condition> {
        match Condition::compile(&text.value, zone.clone(), with_risk) {
            Ok(condition) => Some(condition),
            Err(problem) => {
                self.report(file, text, ProblemKind::Condition { problem: problem.to_string() });
                None
            }
        }
    }

    fn form(&mut self, file: &PolicyFile, text: &Text) -> Option<TextForm> {
        let form = TextForm::compile(&text.value);
        if form.is_none() {
            self.report(
                file,
                text,
                bad("pattern", &text.value, "a regular expression, for example \"^INC-[0-9]+$\""),
            );
        }
        form
    }

    pub(super) fn seconds(&mut self, file: &PolicyFile, what: &'static str, text: &Text) -> Option<i64> {
        let lifetime = text.value.parse::<Lifetime>().ok();
        if lifetime.is_none() {
            self.report(file, text, bad(what, &text.value, "a time, for example 30m, 8h or 1d; at most 90d"));
        }
        lifetime.map(Lifetime::seconds)
    }

    fn count(&mut self, file: &PolicyFile, what: &'static str, count: &Spanned<u32>) -> u32 {
        if !(1..=MOST_PEOPLE).contains(&count.value) {
            self.report(file, count, bad(what, &count.value.to_string(), "a number from 1 to 20"));
        }
        count.value
    }

    fn is_new(&mut self, file: &PolicyFile, what: &'static str, name: &Text) -> bool {
        let good = !name.value.trim().is_empty()
            && name.value.chars().count() <= MOST_LETTERS
            && !name.value.chars().any(char::is_control);
        if !good {
            self.report(file, name, bad(what, &name.value, "a name of 1 to 128 letters"));
            return false;
        }
        if let Some(first) = self.named.insert((what, name.value.clone()), place(file, name)) {
            self.report(file, name, twice(what, &name.value, first));
            return false;
        }
        true
    }
}

fn conflict(entry: &FlowEntry) -> Option<&'static str> {
    match (entry.automatic, entry.break_glass, entry.steps.is_empty()) {
        (true, true, _) => Some("break_glass approves by itself: write steps, who looks at it afterwards"),
        (true, false, false) => Some("automatic and steps exclude one another: keep one"),
        (false, _, true) => Some("nobody approves: write steps, or automatic: true"),
        (false, true, false) if entry.steps.len() > 1 || entry.steps.iter().any(|it| it.quorum.is_some()) => {
            Some("one person looks at break_glass afterwards: write one step without quorum")
        }
        (true, false, true) if entry.escalate.is_some() => {
            Some("nobody is waited for with automatic: take escalate out")
        }
        (true, false, true) | (false, _, false) => None,
    }
}

/// The word for every permission without a bound of its own.
const ANY: &str = "any";
/// How long a request may wait where the flow does not say.
const EXPIRES_AFTER: i64 = 7 * 24 * 3600;
const MOST_PEOPLE: u32 = 20;
const MOST_LETTERS: usize = 128;

#[cfg(test)]
mod tests {
    use crate::{
        model::{flow::Risk, permission::Permission},
        policy::{PolicyFile, parse},
    };

    fn parsed(text: &str) -> Result<crate::policy::Policy, String> {
        let file =
            PolicyFile { path: "p.yaml".to_owned(), text: format!("groups: {{ leads: {{}} }}\n{text}") };
        parse(&[file])
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn a_flow_reads_back_with_its_defaults() {
        let policy = parsed(
            "zone: Europe/Berlin
risk: [ { name: reads, level: low, when: request.read_only } ]
flows:
  - name: leads
    when: risk == 'low'
    steps: [ { approvers: [leads] }, { approvers: [leads], quorum: 2 } ]
    longest: { select: 8h, any: 1h }
    escalate: { after: 30m, to: [leads] }
    ticket: '^INC-'",
        )
        .unwrap();
        assert_eq!(policy.risk[0].level, Risk::Low);
        let flow = &policy.flows[0];
        assert_eq!((flow.steps[0].quorum, flow.steps[1].quorum, flow.denials), (1, 2, 1));
        assert_eq!((flow.longest.each[&Permission::Select], flow.longest.any), (28_800, Some(3600)));
        assert_eq!((flow.expires_after, flow.ticket.as_ref().unwrap().pattern()), (604_800, "^INC-"));
        assert_eq!(flow.escalation.as_ref().unwrap().after_seconds, 1800);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        for (flow, words) in [
            ("{ name: a, when: 'true' }", "nobody approves"),
            (
                "{ name: a, when: 'true', automatic: true, steps: [ { approvers: [leads] } ] }",
                "exclude one another",
            ),
            ("{ name: a, when: 'true', automatic: true, break_glass: true }", "looks at it afterwards"),
            (
                "{ name: a, when: 'true', break_glass: true, steps: [ { approvers: [leads], quorum: 2 } ] }",
                "one person",
            ),
            ("{ name: a, when: 'true', steps: [ { approvers: [] } ] }", "approvers is empty"),
            ("{ name: a, when: 'true', steps: [ { approvers: [leeds] } ] }", "write \"leads\""),
            ("{ name: a, when: 'true', steps: [ { approvers: [leads], quorum: 0 } ] }", "bad quorum"),
            (
                "{ name: a, when: 'request.tabel == 1', automatic: true }",
                "p.yaml:2:27: bad condition: there is no request.tabel",
            ),
            ("{ name: a, when: 'true', automatic: true, longest: { selct: 1h } }", "write \"select\""),
            ("{ name: a, when: 'true', automatic: true, longest: { any: soon } }", "bad longest"),
            ("{ name: a, when: 'true', automatic: true, ticket: '(' }", "bad pattern"),
            ("{ name: a, when: 'true', automatic: true, quorum: 2 }", "unknown key \"quorum\""),
        ] {
            let told = parsed(&format!("flows: [ {flow} ]")).unwrap_err();
            assert!(told.contains(words), "{flow}: {told}");
        }
        assert!(parsed("zone: Europe/Atlantis").unwrap_err().contains("bad time zone"));
        assert!(
            parsed("risk: [ { name: a, level: hig, when: 'true' } ]").unwrap_err().contains("write \"high\"")
        );
        let twice = "risk: [ { name: a, level: low, when: 'true' }, { name: a, level: low, when: 'true' } ]";
        assert!(parsed(twice).unwrap_err().contains("stands here twice"));
    }
}
