//! `tidegate grant`

use std::process::ExitCode;

use reqwest::Method;

use super::{
    args_grants::{GrantCommand, GrantCreateArgs},
    client::Api,
    output::{complain, instant, list, say, show, span, table},
};
use crate::{
    api::bodies::{
        CreatedGrant, Extend, GrantList, GrantQuery, GrantView, LifeState, NewGrant, RequestView, Revoke,
    },
    model::{grant::Holder, object::ObjectPattern},
};

pub(super) async fn run(command: GrantCommand) -> anyhow::Result<ExitCode> {
    match command {
        GrantCommand::Create(args) => create(*args).await,
        GrantCommand::List { principal, group, target, all, limit, connection } => {
            let query = GrantQuery { principal, group, target, all, before: None, limit: Some(limit) };
            let answer: GrantList = Api::new(&connection)?.get(&["grants"], &query).await?;
            show(connection.json, &answer, |it| print(&it.grants))
        }
        GrantCommand::Extend { id, lifetime, reason, ticket, connection } => {
            let name = id.to_string();
            let extend = Extend { lifetime, reason, ticket };
            let path = ["grants", &name, "extend"];
            let made: RequestView = Api::new(&connection)?.send(Method::POST, &path, &extend).await?;
            show(connection.json, &made, super::request::tell)
        }
        GrantCommand::Revoke { id, reason, connection } => {
            let name = id.to_string();
            let path = ["grants", &name, "revoke"];
            let revoked: GrantView =
                Api::new(&connection)?.send(Method::POST, &path, &Revoke { reason }).await?;
            show(connection.json, &revoked, |it| match &it.revocation {
                Some(how) => {
                    let by = &how.by;
                    say!("Grant {id} is revoked (at {} by {by}): {}", instant(how.at), how.reason);
                }
                None => say!("Grant {id} is {}.", it.state.as_str()),
            })
        }
    }
}

async fn create(args: GrantCreateArgs) -> anyhow::Result<ExitCode> {
    let holder = match (args.to, args.to_group) {
        (Some(name), None) => Holder::Principal(name),
        (None, Some(name)) => Holder::Group(name),
        (None, None) | (Some(_), Some(_)) => anyhow::bail!("give either --to or --to-group"),
    };
    let new = NewGrant {
        holder,
        target: args.target,
        database: args.database,
        objects: if args.all_tables { vec![ObjectPattern::All] } else { args.tables },
        permissions: args.permissions.into_iter().collect(),
        lifetime: args.lifetime,
        starts_at: args.starts_at,
        reason: args.reason,
    };
    let made: CreatedGrant = Api::new(&args.connection)?.send(Method::POST, &["grants"], &new).await?;
    show(args.connection.json, &made, |it| {
        say!("Grant {}", it.grant.id);
        say!("{}", sentence(&it.grant));
        if it.grant.state == LifeState::Live {
            say!("Sessions that are open have it from their next statement on.");
        }
        for warning in &it.warnings {
            complain!("warning: {warning}");
        }
    })
}

/// What the grant means: "dana may select on public.employee in hr/hr_prod until … (2m), because: INC-42."
fn sentence(grant: &GrantView) -> String {
    let objects = match grant.objects.as_slice() {
        [ObjectPattern::All] => "everything".to_owned(),
        objects => list(objects),
    };
    let from = match grant.state {
        LifeState::Upcoming => format!(" from {}", instant(grant.starts_at)),
        LifeState::Ended | LifeState::Live | LifeState::Revoked => String::new(),
    };
    let until = grant.ends_at.map(|end| {
        let length = span(end.duration_since(grant.starts_at).as_secs());
        format!(" until {} ({length})", instant(end))
    });
    format!(
        "{} may {} on {objects} in {}/{}{from}{}, because: {}.",
        holder(&grant.holder),
        grant.permissions,
        grant.target,
        grant.database,
        until.unwrap_or_default(),
        grant.reason
    )
}

fn holder(holder: &Holder) -> String {
    match holder {
        Holder::Principal(name) => name.to_string(),
        Holder::Group(name) => format!("group {name}"),
    }
}

/// A statement on one line of a list.
pub(super) fn short(sql: &str) -> String {
    let words: Vec<_> = sql.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= MOST_SHOWN {
        return line;
    }
    format!("{}…", line.chars().take(MOST_SHOWN).collect::<String>())
}

const MOST_SHOWN: usize = 60;

fn print(grants: &[GrantView]) {
    let row = |it: &GrantView| {
        let left = match (it.state, it.seconds_left) {
            (LifeState::Live, _) if it.used_at.is_some() => "used".to_owned(),
            (LifeState::Live, Some(seconds)) => span(seconds),
            (LifeState::Upcoming, _) => format!("from {}", instant(it.starts_at)),
            (state, _) => state.as_str().to_owned(),
        };
        vec![
            it.id.to_string(),
            holder(&it.holder),
            format!("{}/{}", it.target, it.database),
            it.statement.as_deref().map_or_else(|| list(&it.objects), short),
            it.permissions.to_string(),
            left,
            it.created_by.clone(),
            it.reason.clone(),
        ]
    };
    let head = ["ID", "HOLDER", "PLACE", "OBJECTS", "PERMISSIONS", "LEFT", "BY", "REASON"];
    table(&head, grants.iter().map(row).collect(), "There are no grants.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_told_in_one_sentence() {
        let grant: GrantView = serde_json::from_value(serde_json::json!({
            "id": "019aa000-0000-7000-8000-000000000001",
            "holder": { "principal": "dana" },
            "target": "hr", "database": "hr_prod",
            "objects": ["public.employee", "public.title"], "permissions": ["select", "dml"],
            "starts_at": "2026-11-21T12:00:00Z", "ends_at": "2026-11-21T12:02:00Z",
            "reason": "INC-42", "state": "live", "seconds_left": 119,
            "created_at": "2026-11-21T12:00:00Z", "created_by": "admin",
        }))
        .unwrap();
        assert_eq!(
            sentence(&grant),
            "dana may select, dml on public.employee, public.title in hr/hr_prod until 2026-11-21T12:02:00Z (2m), \
             because: INC-42."
        );
    }
}
