//! What a filled-in form means.

use std::{collections::BTreeMap, str::FromStr};

use super::{modal::Noted, names::field, payload::Fields};
use crate::{
    control::{Answer, NewRequest, NewReview},
    model::{
        ids::RequestId,
        lifetime::Lifetime,
        object::ObjectPattern,
        permission::{Permission, PermissionSet},
    },
};

/// What is wrong with which field.
pub(super) type Problems = BTreeMap<&'static str, String>;

/// What somebody asks for.
pub(super) fn asked(fields: &Fields) -> Result<NewRequest, Problems> {
    let mut problems = Problems::new();
    let lifetime = keep(&mut problems, field::DURATION, parsed::<Lifetime>(fields.text(field::DURATION)));
    let objects = keep(&mut problems, field::OBJECTS, objects(fields.text(field::OBJECTS)));
    let permissions =
        keep(&mut problems, field::PERMISSIONS, permissions(&fields.choices(field::PERMISSIONS)));
    for (name, value) in [
        (field::TARGET, fields.choice(field::TARGET)),
        (field::DATABASE, fields.text(field::DATABASE)),
        (field::REASON, fields.text(field::REASON)),
    ] {
        if value.is_empty() {
            problems.insert(name, "write something".to_owned());
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let ticket = fields.text(field::TICKET);
    Ok(NewRequest {
        target: Some(fields.choice(field::TARGET).into()),
        database: Some(fields.text(field::DATABASE).into()),
        objects,
        permissions,
        lifetime,
        reason: fields.text(field::REASON).to_owned(),
        ticket: (!ticket.is_empty()).then(|| ticket.to_owned()),
        ..NewRequest::default()
    })
}

/// What somebody approves, and of which request.
pub(super) fn changed(fields: &Fields, noted: &Noted) -> Result<(RequestId, NewReview), Problems> {
    let mut problems = Problems::new();
    let duration = fields.text(field::DURATION);
    let lifetime = match duration.is_empty() || duration == noted.duration {
        true => None,
        false => keep(&mut problems, field::DURATION, parsed::<Lifetime>(duration)),
    };
    let written = fields.text(field::OBJECTS);
    let is_cut = !written.is_empty() && words(written).ne(words(&noted.objects));
    let cut_objects = if is_cut { keep(&mut problems, field::OBJECTS, objects(written)) } else { None };
    let ticked = fields.choices(field::PERMISSIONS);
    let is_cut =
        !ticked.is_empty() && ticked.iter().copied().ne(noted.permissions.iter().map(|it| it.as_str()));
    let cut_permissions =
        if is_cut { keep(&mut problems, field::PERMISSIONS, permissions(&ticked)) } else { None };
    if !problems.is_empty() {
        return Err(problems);
    }
    let review = NewReview {
        verdict: Answer::Approve,
        comment: fields.text(field::COMMENT).to_owned(),
        objects: cut_objects,
        permissions: cut_permissions,
        lifetime,
    };
    Ok((noted.request, review))
}

/// What somebody denies.
pub(super) fn denied(fields: &Fields, noted: &Noted) -> (RequestId, NewReview) {
    (noted.request, answer(Answer::Deny, fields.text(field::COMMENT)))
}

/// Yes or no to all of it.
pub(super) fn answer(verdict: Answer, comment: &str) -> NewReview {
    NewReview { verdict, comment: comment.to_owned(), objects: None, permissions: None, lifetime: None }
}

fn keep<T>(problems: &mut Problems, name: &'static str, read: Result<T, String>) -> Option<T> {
    read.map_err(|problem| problems.insert(name, problem)).ok()
}

fn parsed<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: ToString,
{
    text.parse().map_err(|problem: T::Err| problem.to_string())
}

/// Names of tables with blanks, commas or ends of lines between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| letter.is_whitespace() || letter == ',').filter(|word| !word.is_empty())
}

fn objects(text: &str) -> Result<Vec<ObjectPattern>, String> {
    let all = words(text).map(parsed).collect::<Result<Vec<_>, _>>()?;
    if all.is_empty() { Err("name at least one, or * for the whole database".to_owned()) } else { Ok(all) }
}

fn permissions(ticked: &[&str]) -> Result<PermissionSet, String> {
    let all = ticked.iter().map(|word| parsed::<Permission>(word)).collect::<Result<PermissionSet, _>>()?;
    if all.is_empty() { Err("tick at least one".to_owned()) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(values: &[(&str, &str)], ticked: &[&str]) -> Fields {
        let mut all = json!({});
        for (name, value) in values {
            all[*name] = json!({ *name: { "value": value } });
        }
        let ticked: Vec<Value> = ticked.iter().map(|it| json!({ "value": it })).collect();
        all["permissions"] = json!({ "permissions": { "selected_options": ticked } });
        serde_json::from_value(all).unwrap()
    }

    const ASKED: [(&str, &str); 6] = [
        ("target", "hr"),
        ("database", "hr_prod"),
        ("objects", "public.a, public.b\npublic.c"),
        ("duration", "2h"),
        ("reason", "INC-1"),
        ("ticket", ""),
    ];

    #[test]
    fn what_is_filled_in_is_asked_for() {
        let new = asked(&fields(&ASKED, &["select", "dml"])).unwrap();
        let objects: Vec<_> = new.objects.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(objects, ["public.a", "public.b", "public.c"]);
        assert_eq!(new.permissions.unwrap().to_string(), "select, dml");
        assert_eq!((new.lifetime.unwrap().seconds(), new.ticket, new.break_glass), (7200, None, false));
    }

    #[test]
    fn what_is_wrong_is_told_at_its_field() {
        for (name, value) in
            [("duration", "soon"), ("objects", ""), ("objects", "a.b.c"), ("reason", " "), ("target", "")]
        {
            let mut values = ASKED;
            values.iter_mut().filter(|(field, _)| *field == name).for_each(|field| field.1 = value);
            let problems = asked(&fields(&values, &["select"])).unwrap_err();
            assert_eq!(problems.keys().copied().collect::<Vec<_>>(), [name], "{value}");
        }
        assert!(asked(&fields(&ASKED, &[])).unwrap_err().contains_key("permissions"));
        assert!(asked(&fields(&ASKED, &["all"])).unwrap_err().contains_key("permissions"));
    }

    fn noted() -> Noted {
        Noted {
            request: RequestId::new(uuid::Uuid::nil()),
            duration: "2h".to_owned(),
            objects: "public.a\npublic.b".to_owned(),
            permissions: vec![Permission::Select, Permission::Dml],
        }
    }

    #[test]
    fn what_is_left_as_it_was_is_not_cut_off() {
        let values = [("duration", "2h"), ("objects", "public.a public.b"), ("comment", "fine")];
        let (_, review) = changed(&fields(&values, &["select", "dml"]), &noted()).unwrap();
        assert_eq!((review.comment.as_str(), review.objects.is_none()), ("fine", true));
        assert!(review.permissions.is_none() && review.lifetime.is_none());
    }

    #[test]
    fn what_is_changed_is_cut_off_and_nonsense_is_told() {
        let values = [("duration", "30m"), ("objects", "public.a")];
        let (_, review) = changed(&fields(&values, &["select"]), &noted()).unwrap();
        assert_eq!((review.lifetime.unwrap().seconds(), review.objects.unwrap().len()), (1800, 1));
        assert_eq!(review.permissions.unwrap().to_string(), "select");
        let wrong = [("duration", "short"), ("objects", "public.a")];
        assert!(changed(&fields(&wrong, &["select"]), &noted()).unwrap_err().contains_key("duration"));
    }
}
